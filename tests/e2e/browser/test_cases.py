"""A unit asks for a return, the shift lead decides beside what the rules say; nobody else may, and nothing typed is lost."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from service import clock
from service.settings import Settings
from tests.e2e.browser.conftest import NARROW, WIDE, Site, site_on
from tests.e2e.browser.test_appearance import IMAGES, serious
from tests.service.access.conftest import put

UNIT = "云汀市城市管理局"
LOOKS = ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark"))
BAD = "<img src=x onerror=\"document.title='坏'\"><script>alert(1)</script>"
TEXTS = {
    "o1": "临江区滨河路12号楼下烧烤店每晚十点以后还在门口支摊，油烟直往楼上灌，老人孩子咳嗽了半个月，希望有人管管。",
    "o2": "白鹭区湖滨路从医院到小学那一段路灯坏了三天没人修，晚上接孩子看不见路，要求尽快修好。",
    "o3": "小区旁边工地半夜两点还在打桩，全楼睡不着，要求查处夜间施工。",
}


@pytest.fixture(scope="module")
def office(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """Three orders that were dispatched to one unit, and one request of it that waits."""
    with site_on(service, chromium) as site:
        put(site.engine, "qian", "unit", at=clock.now(), display="钱承办", units=[UNIT])
        put(site.engine, "zhou", "shift_lead", at=clock.now(), display="周班长")
        for name, text in TEXTS.items():
            send(site, number(name), text)
        asked = site.ask(
            "qian",
            "POST",
            "/v1/cases",
            json={"order_id": number("o3"), "kind": "extension", "reason": "夜间噪声检测要排期，十个工作日内出报告",
                  "facts": {"extension_workdays": 5}, "materials": [{"name": "检测委托书.pdf", "link": "", "kind": "material_proof_document"}]},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )  # fmt: skip
        assert asked.status_code == 201, asked.text
        site.ids = [asked.json()["case_id"]]
        yield site


def number(name: str) -> str:
    return f"20261121-{name}"


def send(site: Site, order_id: str, text: str) -> None:
    proposal = site.file(order_id, text, channel="电话", order_type="投诉")
    first = proposal["units"][0]["unit"]
    decision = {
        "proposal_id": proposal["proposal_id"],
        "action": "accept" if first == UNIT else "override",
        "unit": UNIT,
    }
    sent = site.ask(
        "zhang",
        "POST",
        "/v1/decisions",
        json=decision | {"reason": "职责"},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent.status_code == 201, sent.text


def look(page: Page, name: str, size: tuple[int, int], scheme: str, tmp_path: Path) -> None:
    assert serious(page) == [], (name, size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), (name, size, "没有横向滚动")
    if scheme == "light":
        picture = (IMAGES if os.environ.get("ZHIPAI_SCREENSHOTS") else tmp_path) / f"{name}-{size[0]}.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size < 250_000


@pytest.mark.parametrize("name", ["unit-orders", "unit-order", "cases-list", "cases-case"])
def test_nothing_serious_in_either_theme_at_either_width(office: Site, name: str, tmp_path: Path) -> None:
    who, path = {
        "unit-orders": ("qian", "/unit"),
        "unit-order": ("qian", f"/unit/orders/{number('o2')}"),
        "cases-list": ("zhou", "/cases"),
        "cases-case": ("zhou", f"/cases/{office.ids[0]}"),
    }[name]
    for size, scheme in LOOKS:
        page = office.open(office.page(who, size=size, scheme=scheme), path)
        expect(page.locator("h1")).to_be_visible()
        look(page, name, size, scheme, tmp_path)
        page.context.close()


def test_what_was_typed_is_shown_as_text(office: Site) -> None:
    wanted = {"order_id": number("o3"), "kind": "suspension", "reason": f"等检测{BAD}"}
    material = {"name": BAD, "link": "javascript:alert(1)"}
    asked = office.ask(
        "qian",
        "POST",
        "/v1/cases",
        json=wanted | {"materials": [material]},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    for path in (f"/cases/{asked.json()['case_id']}", "/cases", f"/cases/{office.ids[0]}"):
        page = office.open(office.page("zhou"), path)
        expect(page.locator("main")).to_be_visible()
        assert page.locator("main img, main script").count() == 0 and "坏" not in page.title()
        assert page.locator("main a[href^='javascript']").count() == 0
        if path != f"/cases/{office.ids[0]}":
            expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")


def test_who_may_not_is_told_why_and_sees_no_link(office: Site) -> None:
    page = office.open(office.page("zhang"), "/workbench")
    assert page.locator(".nav a[href='/cases'], .nav a[href='/unit']").count() == 0
    office.open(page, "/cases")
    expect(page.locator("body")).to_contain_text("没有权限")
    unit = office.open(office.page("qian"), f"/cases/{office.ids[0]}")
    expect(unit.locator("body")).to_contain_text("没有权限")
    office.said.clear()  # the browser notes the 403 itself


def test_a_return_from_the_unit_to_the_queue_by_keyboard(office: Site) -> None:
    order_id = number("o1")
    page = office.open(office.page("qian"), "/unit")
    page.get_by_role("link", name=order_id).focus()
    page.keyboard.press("Enter")
    page.get_by_label("理由", exact=True).focus()
    page.keyboard.type("按三定方案第四条，油烟监管不属于本单位职责，建议改派")
    page.get_by_label("建议改派给").fill("云汀市生态环境局")
    page.get_by_role("button", name="先看规则怎么说").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ruling")).to_contain_text("怎样才会变")
    expect(page.locator("#ruling")).to_contain_text("时限")
    page.get_by_role("button", name="提交申请").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("退单：待审")
    expect(page.locator("main")).to_contain_text("结果出来之前不能再提")

    lead = office.open(office.page("zhou"), "/cases")
    lead.get_by_role("row").filter(has_text=order_id).get_by_role("link").first.focus()
    lead.keyboard.press("Enter")
    expect(lead.locator("main")).to_contain_text("油烟监管不属于本单位职责")
    lead.get_by_label("同意", exact=True).focus()
    lead.keyboard.press("Space")
    lead.get_by_label("理由", exact=True).focus()
    lead.keyboard.type("核对了三定方案")
    lead.get_by_role("button", name="记入决定").focus()
    lead.keyboard.press("Enter")
    expect(lead.locator("#toasts")).to_contain_text("已同意")
    waiting = office.ask("zhang", "GET", "/v1/orders", params={"status": "returned"}).json()["orders"]
    assert [one["order_id"] for one in waiting] == [order_id]
    page.reload()
    expect(page.locator("main")).to_contain_text("核对了三定方案")
    assert page.get_by_role("button", name="提交申请").count() == 0, "已不在本单位"


def test_nothing_typed_is_lost_when_the_session_ends(office: Site) -> None:
    page = office.open(office.page("qian"), f"/unit/orders/{number('o2')}?kind=extension")
    page.get_by_label("理由", exact=True).fill("灯具要定做，十个工作日到货")
    page.context.clear_cookies()
    page.get_by_role("button", name="提交申请").click()
    expect(page.locator("#toasts")).to_contain_text("登录已过期")
    cookie: Any = {"name": "zhipai", "value": office.token("qian"), "url": office.base}
    page.context.add_cookies([cookie])
    page.reload()
    expect(page.get_by_label("理由", exact=True)).to_have_value("灯具要定做，十个工作日到货")
    page.get_by_role("button", name="提交申请").click()
    expect(page.locator("main")).to_contain_text(re.compile("延期：\\s*待审"))
    office.said.clear()  # the browser notes the 401 itself


def test_an_error_is_one_sentence_and_leaves_the_form(office: Site) -> None:
    page = office.open(office.page("qian"), f"/unit/orders/{number('o2')}?kind=return")
    page.get_by_label("理由", exact=True).fill("不属于本单位职责")
    page.get_by_label("建议改派给").fill("没有这个局")
    page.get_by_role("button", name="提交申请").click()
    expect(page.locator("#toasts .toast.bad")).to_contain_text("没有这个局")
    expect(page.get_by_label("理由", exact=True)).to_have_value("不属于本单位职责")
    office.said.clear()  # the browser notes the 422 itself
