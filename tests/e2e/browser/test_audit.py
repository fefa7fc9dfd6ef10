"""The auditor's main job: find a decision, read it as a story, replay it, prove the log, take the proof away."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from service.settings import Settings
from tests.e2e.browser.conftest import MORNING, NARROW, WIDE, Site, site_on
from tests.e2e.browser.test_appearance import IMAGES, serious

ROOT = Path(__file__).parents[3]
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def day(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """A morning's orders: accepted, sent elsewhere with a reason that is markup, refused, taken back."""
    with site_on(service, chromium) as site:
        decide_day(site, "0901")
        yield site


def decide_day(site: Site, mark: str) -> None:
    """File the morning's orders under numbers with ``mark`` in them, and decide on all but the last two."""
    for number, (text, fields) in enumerate(MORNING):
        order_id = f"20261120{mark}{number:02d}"
        site.ids.append(order_id)
        proposal = site.file(order_id, text, **fields | ({"title": EVIL} if number == 1 else {}))
        if number == 2:
            told = {"reason": "已经法院判决", "action": "转告其他途径", "tell": "请向受理法院反映。"}
            decided(site, f"/v1/orders/{order_id}/refuse", told)
        elif number < 6:
            units = [unit["unit"] for unit in proposal["units"]]
            reason = {1: f"现场由后者负责{EVIL}", 4: "犬只扰民由后者管理"}.get(number, "")
            chosen = {"action": "override", "unit": units[1]} if reason else {"action": "accept", "unit": units[0]}
            decided(site, "/v1/decisions", {"proposal_id": proposal["proposal_id"], "reason": reason, **chosen})
    last = decision_of(site, site.ids[5])
    decided(site, f"/v1/orders/{site.ids[5]}/undo", {"reason": "选错了单位", "decision_id": last})


def decided(site: Site, path: str, body: dict[str, str]) -> None:
    answer = site.ask("zhang", "POST", path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    assert answer.status_code in (200, 201), answer.text


def decision_of(site: Site, order_id: str) -> str:
    rows = site.ask("shen", "GET", "/v1/audit/decisions", params={"order_id": order_id}).json()["decisions"]
    return rows[-1]["decision_id"]


def test_from_a_filter_to_a_replay_without_a_mouse(day: Site) -> None:
    page = day.open(day.page("shen"), "/audit")
    expect(page.get_by_role("link", name="审计", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("status").first).to_contain_text("共")
    page.get_by_text("更多条件").focus()
    page.keyboard.press("Enter")
    page.get_by_label("改派").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_label("工单编号").fill(day.ids[1])
    page.keyboard.press("Enter")
    rows = page.locator("table.log tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("派单 · 改派")
    expect(rows).to_contain_text("<img src=x onerror=alert(1)>")
    rows.get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".lead")).to_contain_text("没有采纳建议的第一位")
    expect(page.locator(".reason")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator("#proof")).to_contain_text("路径成立")
    for button, said in (("列出未命中的规则", "未命中"), ("回放", "逐字节相同"), ("今天会怎样", "都没有换过")):
        page.get_by_role("button", name=button, exact=button == "回放").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#silent" if said == "未命中" else "#replayed")).to_contain_text(said)
    assert page.locator("#silent tbody tr").count() > 5
    assert page.evaluate("document.querySelectorAll('main img, main script[src]').length") == 0


def test_the_log_is_proved_and_the_proof_is_checked_elsewhere(day: Site, tmp_path: Path) -> None:
    page = day.open(day.page("shen"), "/audit/prove")
    page.get_by_role("button", name="现在签发一个").click()
    expect(page.locator("#toasts")).to_contain_text("检查点在")
    page.locator("#verification").get_by_role("button").click()
    expect(page.locator("#verification")).to_contain_text("条完整", timeout=60_000)
    with page.expect_download() as taken:
        page.get_by_role("link", name="下载公钥").click()
    taken.value.save_as(tmp_path / "log.pub")
    day.open(page, f"/audit/{decision_of(day, day.ids[0])}")
    with page.expect_download() as taken:
        page.get_by_role("link", name="下载证明").click()
    taken.value.save_as(tmp_path / "proof.json")
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_bundle.py", tmp_path / "proof.json", tmp_path / "log.pub"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_is_shown_is_what_is_exported(day: Site, tmp_path: Path) -> None:
    page = day.open(day.page("shen"), f"/audit?override=yes&order_id={day.ids[1]}")
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV").click()
    taken.value.save_as(tmp_path / "log.csv")
    written = (tmp_path / "log.csv").read_text(encoding="utf-8-sig")
    assert written.count("\n") == 2 and decision_of(day, day.ids[1]) in written


def test_a_bad_filter_is_said_in_the_page(day: Site) -> None:
    page = day.open(day.page("shen"), "/audit?since=2026-05-02&until=2026-04-01")
    expect(page.get_by_role("alert")).to_contain_text("不早于截止")
    day.said.clear()


def test_a_dispatcher_does_not_see_the_log(day: Site) -> None:
    page = day.open(day.page("zhang"), "/")
    expect(page.get_by_role("link", name="审计")).to_have_count(0)
    for address in ("/audit", "/audit/prove", "/audit/charts", f"/audit/{decision_of(day, day.ids[0])}"):
        answer = page.goto(day.base + address)
        assert answer is not None and answer.status == 403
        expect(page.locator("main")).to_contain_text("审计员")
    day.said.clear()


PAGES = {
    "audit-log": "/audit",
    "audit-story": "/audit/{decision}",
    "audit-prove": "/audit/prove",
    "audit-charts": "/audit/charts?by=unit",
}


def ready(page: Page, name: str) -> None:
    if name == "audit-log":
        expect(page.get_by_role("status").first).to_contain_text("共")
    if name == "audit-story":
        page.get_by_role("button", name="回放", exact=True).click()
        expect(page.locator("#replayed")).to_contain_text("逐字节相同")
        page.evaluate("scrollTo(0, 0)")
    if name == "audit-charts":
        expect(page.locator("#rates canvas")).to_be_visible()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_in_either_theme_at_either_width(day: Site, name: str, tmp_path: Path) -> None:
    address = PAGES[name].format(decision=decision_of(day, day.ids[4]))
    take_pictures(day, "shen", name, address, ready, tmp_path)


def take_pictures(site: Site, who: str, name: str, address: str, ready, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """axe-core, no sideways scrolling, and the pictures of the guide (anew with ZHIPAI_SCREENSHOTS=1)."""
    images = IMAGES if os.environ.get("ZHIPAI_SCREENSHOTS") else folder
    for size, scheme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")):
        page = site.open(site.page(who, size=size, scheme=scheme), address)
        ready(page, name)
        assert serious(page) == [], (name, size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), "没有横向滚动"
        if (size, scheme) != (NARROW, "dark"):
            picture = images / f"{name}-{size[0]}{'-dark' if scheme == 'dark' else ''}.png"
            page.screenshot(path=picture)
            assert picture.stat().st_size < 250_000
        page.context.close()
