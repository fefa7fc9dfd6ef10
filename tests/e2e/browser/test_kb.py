"""The maintainer writes, somebody else publishes; two maintainers on one entry; a file; and nothing typed is lost."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from service import clock
from service.cases_read import add_reply
from service.settings import Settings
from tests.e2e.browser.conftest import NARROW, WIDE, Site, site_on
from tests.e2e.browser.test_appearance import IMAGES, serious
from tests.service.access.conftest import put

LOOKS = ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark"))
BAD = "<img src=x onerror=\"document.title='坏'\"><script>alert(1)</script>"
SHEET = (
    "标题,答复要点,责任单位\n"
    "图书馆读者证怎么办,带身份证到一楼总台办理，当场领取,云汀市文化和旅游局\n"
    ",这一行没有标题,云汀市文化和旅游局\n"
)
#: Milliseconds for what a process of its own has to do on a machine that is busy.
PATIENT = 240_000


@pytest.fixture(scope="module")
def library(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """Two maintainers and a reviewer; one change that waits for review, one entry that ends soon."""
    with site_on(service, chromium) as site:
        for name, display, role in (
            ("wu", "吴维护", "kb_maintainer"), ("zheng", "郑维护", "kb_maintainer"), ("he", "何审核", "kb_reviewer")
        ):  # fmt: skip
            put(site.engine, name, role, at=clock.now(), display=display)
        seen = site.ask("wu", "GET", "/v1/kb/entries/K1001").json()
        text = {
            name: value
            for name, value in seen["entry"].items()
            if name not in ("id", "state", "body_html", "citations")
        }
        text["answer"] = text["answer"].replace("。", "；拨打 12345 也可以预约。", 1)
        text["effective_to"] = (clock.now() + timedelta(days=20)).date().isoformat()
        step(site, "wu", "K1001", "draft", entry=text, revision=seen["revision"])
        step(site, "wu", "K1001", "submit")
        yield site


def step(site: Site, who: str, entry_id: str, action: str, **body: Any) -> dict[str, Any]:
    answer = site.ask(who, "POST", f"/v1/kb/entries/{entry_id}/{action}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("name", "path", "who"),
    [
        ("kb-search", "/kb?q=租房子怎么把公积金取出来", "zhang"),
        ("kb-none", "/kb?q=外星飞船停在楼顶归谁管", "zhang"),
        ("kb-entries", "/kb/entries?state=发布", "wu"),
        ("kb-entry", "/kb/entries/K1001", "he"),
        ("kb-edit", "/kb/entries/K1002/edit", "wu"),
        ("kb-review", "/kb/review", "he"),
        ("kb-due", "/kb/due", "wu"),
        ("kb-import", "/kb/import", "wu"),
    ],
)
def test_nothing_serious_in_either_theme_at_either_width(
    library: Site, name: str, path: str, who: str, tmp_path: Path
) -> None:
    for size, scheme in LOOKS:
        page = library.open(library.page(who, size=size, scheme=scheme), path)
        expect(page.locator("h1")).to_be_visible()
        look(page, name, size, scheme, tmp_path)
        page.context.close()


def look(page: Page, name: str, size: tuple[int, int], scheme: str, tmp_path: Path) -> None:
    assert serious(page) == [], (name, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (name, size, "没有横向滚动")
    if scheme == "light":
        picture = (IMAGES if os.environ.get("ZHIPAI_SCREENSHOTS") else tmp_path) / f"{name}-{size[0]}.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size < 250_000


def test_an_entry_from_draft_to_search(library: Site) -> None:
    page = library.open(library.page("wu"), "/kb/new")
    page.get_by_label("标题", exact=False).first.fill("琉璃厂夜市摊位怎么申请")
    page.get_by_label("答复要点", exact=False).fill("每月一日起网上报名，带身份证到琉璃厂管理处抽签。")
    page.get_by_label("责任单位", exact=False).fill("云汀市城市管理局")
    page.get_by_label("正文", exact=False).fill(f"## 材料\n\n- 身份证\n\n{BAD}")
    page.get_by_role("button", name="预览").click()
    expect(page.locator("#preview h2").first).to_have_text("琉璃厂夜市摊位怎么申请")
    expect(page.locator("#preview")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("#preview img").count() == 0
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("#toasts")).to_contain_text("草稿已保存")
    entry = page.url.split("?")[0]
    page.get_by_role("button", name="送审").click()
    expect(page.locator("#toasts")).to_contain_text("已送审")
    assert page.get_by_role("button", name="发布", exact=True).count() == 0, "起草的人不能发布"

    reviewer = library.open(library.page("he"), "/kb/review")
    card = reviewer.locator("article").filter(has_text="琉璃厂夜市")
    card.get_by_label("审核理由").fill("与管理处核对一致")
    card.get_by_role("button", name="发布").click()
    expect(reviewer.locator("#toasts")).to_contain_text("已发布")
    assert "坏" not in reviewer.title()
    reader = library.page("zhang")
    for _ in range(100):
        library.open(reader, "/kb?q=琉璃厂夜市摊位申请")
        if "网上报名" in reader.locator("#hits").inner_text():
            break
        reader.wait_for_timeout(100)
    expect(reader.locator("#hits mark").first).to_contain_text("网上报名")
    library.open(page, entry.removeprefix(library.base))
    expect(page.locator("main")).to_contain_text("与管理处核对一致")


def test_two_maintainers_on_one_entry_lose_nothing(library: Site) -> None:
    first, second = (library.open(library.page(name), "/kb/entries/K1003/edit") for name in ("wu", "zheng"))
    first.get_by_label("答复要点", exact=False).fill("甲写的答复。")
    second.get_by_label("答复要点", exact=False).fill("乙写的答复。")
    second.get_by_label("问法", exact=False).fill("乙添的问法")
    first.get_by_role("button", name="保存草稿").click()
    expect(first.locator("#toasts")).to_contain_text("草稿已保存")
    second.get_by_role("button", name="保存草稿").click()
    expect(second.locator("h1")).to_have_text("两个人同时在改")
    expect(second.locator("main")).to_contain_text("甲写的答复。")
    expect(second.get_by_label("答复要点", exact=False)).to_have_value("乙写的答复。")
    assert serious(second) == []
    if os.environ.get("ZHIPAI_SCREENSHOTS"):
        second.screenshot(path=IMAGES / "kb-conflict-1440.png")
    second.get_by_role("button", name="保存合并后的草稿").click()
    expect(second.locator("#toasts")).to_contain_text("草稿已保存")
    expect(second.locator("main")).to_contain_text("乙添的问法")
    library.said.clear()  # the browser notes the 409 itself


def test_what_is_wrong_is_said_above_the_form_with_all_that_was_typed(library: Site) -> None:
    page = library.open(library.page("wu"), "/kb/new")
    page.get_by_label("标题", exact=False).first.fill("日期写反的条目")
    page.get_by_label("答复要点", exact=False).fill("答复")
    page.get_by_label("责任单位", exact=False).fill("云汀市城市管理局")
    page.get_by_label("生效日期", exact=False).fill("2026-05-01")
    page.get_by_label("失效日期", exact=False).fill("2026-04-01")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("[role=alert]")).to_contain_text("失效日期")
    expect(page.get_by_label("标题", exact=False).first).to_have_value("日期写反的条目")
    page.context.clear_cookies()
    page.get_by_label("答复要点", exact=False).fill("登录过期以前写的答复")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("body")).to_contain_text("请先登录")
    page.context.add_cookies([{"name": "zhipai", "value": library.token("wu"), "url": library.base}])
    library.open(page, "/kb/new")
    expect(page.get_by_label("答复要点", exact=False)).to_have_value("登录过期以前写的答复")
    library.said.clear()  # the browser notes the 422 and the 401 itself


def test_a_file_is_tried_row_by_row_before_it_is_imported(library: Site, tmp_path: Path) -> None:
    path = tmp_path / "新条目.csv"
    path.write_text(SHEET, encoding="utf-8")
    page = library.open(library.page("wu"), "/kb/import")
    page.get_by_label("文件").set_input_files(path)
    page.get_by_role("button", name="试导入").click()
    expect(page.locator("h1")).to_contain_text("还没有写入")
    expect(page.locator("table")).to_contain_text("将新增")
    expect(page.locator("table")).to_contain_text("出错")
    assert serious(page) == []
    if os.environ.get("ZHIPAI_SCREENSHOTS"):
        page.screenshot(path=IMAGES / "kb-import-result-1440.png")
    token = page.url.rsplit("/", 1)[1]
    page.get_by_role("button", name="确认导入").click()
    expect(page.locator("main")).to_contain_text("由另一个人审核后才可检索")
    assert library.ask("zheng", "GET", f"/kb/import/{token}").status_code == 404, "别人的上传打不开"
    found = library.ask("wu", "GET", "/v1/kb/entries", params={"title": "图书馆读者证"}).json()["entries"]
    assert [one["state"] for one in found] == ["草稿"]


def test_the_base_is_looked_through_and_pairs_stand_side_by_side(library: Site) -> None:
    page = library.open(library.page("wu"), "/kb/check")
    page.get_by_role("button", name="开始检查").click()
    expect(page.locator("main")).to_contain_text(re.compile("正在检查|上次检查"))
    expect(page.locator("main")).to_contain_text("上次检查", timeout=PATIENT)
    assert page.locator(".pairing").count() > 0 and page.locator(".pairing").first.locator(".card").count() == 2
    assert serious(page) == []
    if os.environ.get("ZHIPAI_SCREENSHOTS"):
        page.screenshot(path=IMAGES / "kb-check-1440.png")
    page.get_by_role("link", name=re.compile("^矛盾")).click()
    expect(page.locator(".pairing").first).to_contain_text("不同")


def test_a_gap_becomes_a_draft_of_the_units_own_reply(library: Site, tmp_path: Path) -> None:
    """The report is written here: looking for gaps takes minutes, and the page shows whatever was found."""
    ids = [f"20261121{number:06d}" for number in range(3)]
    texts = (
        "丹桂坊夜市的摊位怎么申请，要交多少钱，电话13800001111",
        "想在丹桂坊夜市摆摊，去哪里报名",
        "丹桂坊的夜市摊位还有没有，什么时候抽签",
    )
    for order_id, text in zip(ids, texts, strict=True):
        filed = library.file(order_id, text)
        body = {
            "proposal_id": filed["proposal_id"],
            "action": "accept",
            "unit": filed["units"][0]["unit"],
            "actor": "zhang",
        }
        key = {"Idempotency-Key": f"gap-{order_id}"}
        assert library.ask("zhang", "POST", "/v1/decisions", json=body, headers=key).status_code == 201
    for order_id in ids[:2]:
        add_reply(
            library.engine, order_id, "每月一日起带身份证到丹桂坊管理处报名抽签。", actor="经办人", at=clock.now()
        )
    folder = library.settings.home / "kb-reports"
    folder.mkdir(exist_ok=True)
    topics = [
        {"terms": ["丹桂坊", "夜市", "摊位"], "orders": ids},
        {"terms": ["报名", "摊位"], "orders": [ids[2], "erased-1", "erased-2"]},
    ]
    report = {"topics": topics, "answerable": [], "read": 240, "alone": 12}
    (folder / "gaps.json").write_text(json.dumps(report), encoding="utf-8")
    for size, scheme in LOOKS:
        page = library.open(library.page("wu", size=size, scheme=scheme), "/kb/gaps")
        expect(page.locator("article").first).to_contain_text("答复过的单位")
        look(page, "kb-gaps", size, scheme, tmp_path)
        page.context.close()
    page = library.open(library.page("wu"), "/kb/gaps")
    page.get_by_role("button", name="用单位的答复起草").click()
    expect(page.get_by_label("答复要点", exact=False)).to_have_value("每月一日起带身份证到丹桂坊管理处报名抽签。")
    expect(page.locator("h1")).to_contain_text("丹桂坊")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("#toasts")).to_contain_text("草稿已保存")
    library.open(page, "/kb/gaps")
    expect(page.locator("article").first).to_contain_text("草稿")
    assert page.get_by_role("button", name="用单位的答复起草").count() == 0


def test_who_may_only_read_sees_no_buttons_and_is_refused(library: Site) -> None:
    page = library.open(library.page("zhang"), "/kb/entries/K1002")
    assert page.locator("main form, main a[href$='/edit']").count() == 0
    assert page.locator("nav a[href='/kb/import'], nav a[href='/kb/new']").count() == 0
    for path in ("/kb/entries/K1002/edit", "/kb/import", "/kb/new"):
        library.open(page, path)
        expect(page.locator("body")).to_contain_text("没有权限")
    unit = library.ask("shen", "POST", "/kb/entries/K1002/steps/archive", data={"reason": "想删"})
    assert unit.status_code == 403 and unit.json()["code"] == "E6521"
    library.said.clear()  # the browser notes the 403 itself
