"""The rule owner's main job: read a rule, try it, look at a backtest, publish with a reason, see what changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rules.backtest import Tally
from rules.backtest_page import render_page
from rules.backtest_report import build_report
from rules.bundle import at_present
from rules.pack import PACKS, load_pack
from service import clock
from service.publication import Order, check_folder, publish
from service.settings import Settings
from tests.e2e.browser.conftest import NARROW, WIDE, Site, site_on
from tests.e2e.browser.test_appearance import IMAGES, serious
from tests.service.access.conftest import put

#: Milliseconds for what reads every pack, or checks one, on a machine that is busy.
PATIENT = 60_000
LOOKS = ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark"))


@pytest.fixture(scope="module")
def office(
    service: tuple[Settings, str], chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A rule owner, a backtest report, and a first publication whose title differs from that of the folder."""
    with site_on(service, chromium) as site:
        put(site.engine, "sun", "rule_owner", at=clock.now(), display="孙律")
        first_publication(site, tmp_path_factory.mktemp("draft") / "weifang")
        backtest_report(site.settings.home / "backtest" / "november")
        yield site


def first_publication(site: Site, folder: Path) -> None:
    shutil.copytree(PACKS / "weifang", folder)
    path = folder / "return.yaml"
    text = path.read_text(encoding="utf-8")
    assert "直接指定的承办单位不得退回" in text
    path.write_text(text.replace("直接指定的承办单位不得退回", "直接指定的不得退回", 1), encoding="utf-8")
    order = Order("sun", "第一次发布", None)
    record = publish(
        site.engine, check_folder(str(folder)), order, software="zhipai", at=clock.now(site.settings.time_zone)
    )
    # Every worker looks for itself: until several answers in a row, from whichever worker, give the new version.
    seen = 0
    for _ in range(600):
        seen = seen + 1 if site.ask("sun", "GET", "/v1/rules").json()["pack"] == record["version"] else 0
        if seen == 8:
            return
        time.sleep(0.1)
    raise AssertionError("发布的版本没有换上")


def backtest_report(folder: Path) -> None:
    """The report of an empty run of the pack in the folder, written as the command writes it."""
    pack = at_present(load_pack("weifang"))
    source = {"name": "十一月.csv"}
    report = build_report(
        Tally(), new=pack, old=None, logged=False, gates=("acceptance",), as_of="2026-11-20T09:00:00+08:00",
        source=source, rows=0, shown={}, causes={},
    )  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "backtest.json").write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    (folder / "backtest.html").write_text(render_page(report), encoding="utf-8")


def look(site: Site, page: Page, name: str, tmp_path: Path, size: tuple[int, int], scheme: str) -> None:
    """Nothing serious, nothing beyond the edge; a picture for the guide."""
    assert serious(page) == [], (name, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (name, "没有横向滚动")
    if (size, scheme) in ((WIDE, "light"), (NARROW, "light")):
        images = IMAGES if os.environ.get("ZHIPAI_SCREENSHOTS") else tmp_path
        picture = images / f"{name}-{size[0]}.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size < 250_000


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("rules-list", "/rules?gate=return"),
        ("rules-rule", "/rules/rule/WF-RET-002"),
        ("rules-try", "/rules/try?rule=WF-RET-002"),
        ("rules-publish", "/rules/publish"),
        ("rules-history", "/rules/history"),
        ("rules-backtests", "/rules/backtests"),
    ],
)
def test_pages_in_both_themes_at_both_widths(office: Site, tmp_path: Path, name: str, path: str) -> None:
    for size, scheme in LOOKS:
        page = office.open(office.page("sun", size=size, scheme=scheme), path)
        if name == "rules-try":
            page.get_by_label("经会商或批示指定").or_(
                page.locator("[name='fact:designated_by_ruling']")
            ).first.select_option("是")
            page.locator("[name='fact:return_requested']").first.select_option("是")
            page.get_by_role("button", name="判断").click()
            expect(page.locator("#result")).to_contain_text("命中", timeout=PATIENT)
        if name == "rules-rule":
            expect(page.locator("main")).not_to_contain_text("正在逐个规则包查找", timeout=PATIENT)
        look(office, page, name, tmp_path, size, scheme)
        page.context.close()


def test_find_read_and_try_a_rule_with_the_keyboard(office: Site) -> None:
    page = office.open(office.page("sun"), "/rules")
    page.locator("#q").focus()
    page.keyboard.type("WF-RET-002")
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="WF-RET-002")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("不得退回")
    expect(page.locator("main")).to_contain_text("第二十二条")
    page.get_by_role("link", name="试这一条").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("<img src=x onerror=alert(1)>单位说不归他管")
    for name in ("return_requested", "designated_by_ruling"):
        page.locator(f"[name='fact:{name}']").first.select_option("是")
    page.get_by_role("button", name="判断").focus()
    page.keyboard.press("Enter")
    result = page.locator("#result")
    expect(result).to_contain_text("WF-RET-002", timeout=PATIENT)
    expect(result.locator("h2").first).to_contain_text("不得")
    expect(result).to_contain_text("无法判断")
    assert page.locator("img").count() == 0


def test_what_is_typed_wrong_is_one_sentence_and_stays(office: Site) -> None:
    page = office.open(office.page("sun"), "/rules/try?gate=return")
    page.locator("#text").fill("单位退回")
    page.locator("summary").filter(has_text="事实").click()
    field = page.locator("input[name^='fact:'][inputmode='decimal']").first
    field.fill("许多")
    page.get_by_role("button", name="判断").click()
    expect(page.locator("#toasts")).to_contain_text("应是")
    expect(field).to_have_value("许多")
    office.said.clear()  # The browser itself notes the 422.


def test_a_backtest_is_opened_where_nothing_in_it_can_act(office: Site) -> None:
    page = office.open(office.page("sun"), "/rules/backtests")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="november/backtest.html").click()
    report = opened.value
    expect(report.locator("h1")).to_contain_text("规则回测")
    assert report.evaluate("window.origin") == "null"


def test_publish_with_a_reason_and_see_the_difference(office: Site) -> None:
    page = office.open(office.page("sun"), "/rules/publish?pack=weifang")
    expect(page.locator("main")).to_contain_text("错误 0")
    expect(page.locator("del")).to_contain_text("直接指定的不得退回")
    page.locator("#reason").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#reason:invalid")).to_be_focused()
    page.keyboard.type("恢复条文原来的说法")
    # The session ends in mid-edit: what was typed is there again after signing in.
    page.context.clear_cookies()
    page.get_by_role("button", name=re.compile("^发布 weifang")).click()
    expect(page.locator("#toasts")).to_contain_text("登录已过期")
    page.context.add_cookies([{"name": "zhipai", "value": office.token("sun"), "url": office.base}])
    page.reload()
    expect(page.locator("#reason")).to_have_value("恢复条文原来的说法")
    page.locator("#backtest").select_option("november/backtest.html")
    page.get_by_role("button", name=re.compile("^发布 weifang")).click()
    expect(page.locator(".note.good")).to_contain_text("已发布 weifang@", timeout=PATIENT)
    expect(page.locator("table")).to_contain_text("恢复条文原来的说法")
    page.get_by_role("link", name="与上一版的不同").first.click()
    expect(page.locator("ins")).to_contain_text("直接指定的承办单位不得退回")
    office.said.clear()  # The browser itself notes the 401.


def test_a_dispatcher_reads_rules_and_does_not_publish(office: Site) -> None:
    page = office.open(office.page("zhang"), "/rules")
    assert page.locator(".tabs a").all_inner_texts() == ["规则", "试一条", "发布记录"]
    page.goto(office.base + "/rules/publish")
    expect(page.locator("main, body").first).to_contain_text("规则员")
    office.said.clear()  # The browser itself notes the 403.
