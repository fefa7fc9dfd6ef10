"""The dispatcher's main job with the keyboard alone, and two dispatchers on one order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from service.db.tables import DECISIONS
from tests.e2e.browser.conftest import MORNING, NARROW, Site
from tests.service.access.conftest import PASSWORD


def settled(page: Page, order_id: str) -> None:
    """The order is open and its live updates run."""
    expect(page.locator("#shown")).to_have_attribute("data-order", order_id)
    expect(page.locator("#rows [aria-current]")).to_have_attribute("data-order", order_id)


def standing(site: Site, order_id: str) -> dict[str, Any]:
    for status in ("", "dispatched", "refused", "merged"):
        answer = site.ask("zhang", "GET", "/v1/orders", params={"status": status}).json()
        for row in answer["orders"]:
            if row["order_id"] == order_id:
                return row
    raise AssertionError(order_id)


def record(site: Site, order_id: str) -> dict[str, Any]:
    decision = standing(site, order_id)["decision_id"]
    with site.engine.connect() as connection:
        row = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.decision_id == decision)).scalar_one()
    return json.loads(row)


def test_a_shift_without_a_mouse(filled: Site) -> None:
    site, ids = filled, filled.ids
    page = site.open(site.page("zhang"), "/workbench")
    settled(page, ids[0])
    press = page.keyboard.press

    # Accept the first: the next opens by itself.
    press("1")
    press("Enter")
    settled(page, ids[1])
    expect(page.locator("#toasts")).to_contain_text("已派给")
    first = record(site, ids[0])
    assert (first["action"], first["actor"], first["role"]) == ("accept", "zhang", "dispatcher")

    # Override with one line of reason; Enter without it stays where it is wanted and sends nothing.
    press("2")
    expect(page.locator("#reason")).to_be_focused()
    chosen = page.locator("#decide input[data-number='2']").input_value()
    press("Enter")
    expect(page.locator("#reason:invalid")).to_be_focused()
    assert standing(site, ids[1])["status"] == "open"
    page.keyboard.type("路段属于他们养护")
    press("Enter")
    settled(page, ids[2])
    second = record(site, ids[1])
    assert (second["action"], second["unit"], second["reason"]) == ("override", chosen, "路段属于他们养护")

    # Refuse by the rule that hit.
    press("r")
    expect(page.locator("#refuse-reason")).to_be_focused()
    page.keyboard.type("已有生效判决")
    press("Enter")
    settled(page, ids[3])
    third = record(site, ids[2])
    assert third["kind"] == "refusal" and third["disposition"]["rule_id"] and third["disposition"]["tell"]

    # Take it back: it opens again, as a new decision.
    press("u")
    expect(page.locator("#undo-reason")).to_be_focused()
    page.keyboard.type("再核实一下")
    press("Enter")
    settled(page, ids[2])
    assert (record(site, ids[2])["kind"], standing(site, ids[2])["status"]) == ("undo", "open")

    # Move in the queue, search the knowledge base, see the help.
    press("j")
    settled(page, ids[3])
    press("k")
    settled(page, ids[2])
    press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("居住证怎么办")
    expect(page.locator("#entries")).to_contain_text("居住证")
    press("Escape")
    press("?")
    expect(page.locator("#help")).to_be_visible()
    press("Escape")
    expect(page.locator("#help")).to_be_hidden()

    # A unit that was not proposed.
    press("b")
    expect(page.locator("#other")).to_be_focused()
    page.keyboard.type("云汀市城市管理局")
    press("Enter")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("先由中心解释")
    press("Enter")
    settled(page, ids[3])
    assert record(site, ids[2])["unit"] == "云汀市城市管理局"


def test_two_dispatchers_on_one_order(filled: Site) -> None:
    site, order_id = filled, filled.ids[0]
    zhang, li = site.page("zhang"), site.page("li")
    for page in (zhang, li):
        site.open(page, f"/workbench/orders/{order_id}")
        settled(page, order_id)
    # Each sees that the other has it open.
    expect(zhang.locator("#presence")).to_contain_text("李强")
    expect(li.locator("#presence")).to_contain_text("张敏")
    li.keyboard.press("2")
    li.keyboard.type("我写到一半")
    zhang.keyboard.press("1")
    zhang.keyboard.press("Enter")
    settled(zhang, site.ids[1])
    # The second sees it at once, cannot overwrite it, and keeps what he typed.
    expect(li.locator("#news")).to_contain_text("张敏：派单")
    expect(li.locator("#reason")).to_have_value("我写到一半")
    expect(li.locator("#go")).to_be_disabled()
    # Whoever gets past the page is told by the service.
    li.evaluate("document.querySelector('#decide fieldset').disabled = false")
    site.said.clear()
    li.locator("#reason").press("Enter")
    expect(li.locator("#toasts")).to_contain_text("张敏已于")
    assert all("409" in one for one in site.said), site.said
    site.said.clear()
    assert record(site, order_id)["actor"] == "zhang"
    # And the queue of the second has moved on.
    expect(li.locator(f"#rows [data-order='{order_id}']")).to_have_count(0)


def test_new_orders_appear_by_themselves(site: Site) -> None:
    page = site.open(site.page("zhang"), "/workbench")
    expect(page.locator("#shown")).to_contain_text("没有待派的工单")
    site.file("20261119000201", "白鹭区湖滨路的路灯坏了三天没人修，晚上很黑，请尽快修")
    expect(page.locator("#rows .line")).to_have_count(1)
    page.keyboard.press("j")
    settled(page, "20261119000201")


def test_on_a_telephone(filled: Site) -> None:
    site, order_id = filled, filled.ids[0]
    page = site.open(site.page("zhang", size=NARROW), "/workbench?list=1")
    page.locator(f"#rows [data-order='{order_id}']").click()
    expect(page.locator("#shown")).to_have_attribute("data-order", order_id)
    expect(page.locator("#queue")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "没有横向滚动"
    page.get_by_role("button", name="派单").click()
    expect(page.locator("#shown")).to_have_attribute("data-order", site.ids[1])


MARKUP = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\'"&'


def test_markup_in_every_field_stays_text(site: Site) -> None:
    fields = {name: MARKUP + name for name in ("title", "channel", "order_type", "category", "street", "community")}
    site.file("<b id=hit>1</b>", MARKUP + MORNING[0][0], **fields, district=MARKUP)
    site.file("20261119000301", MORNING[1][0])
    page = site.open(
        site.page("zhang"), "/workbench/orders/%3Cb%20id=hit%3E1%3C%2Fb%3E?district=" + "%3Cb%20id%3Dhit%3E"
    )
    expect(page.locator("#shown")).to_contain_text("<img src=x")
    page.keyboard.press("/")
    page.keyboard.type(MARKUP)
    page.locator("#entries").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.type(MARKUP)
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("已派给")
    site.open(page, "/workbench/orders/%3Cb%20id=hit%3E1%3C%2Fb%3E")
    assert page.evaluate("window.hit === undefined && !document.querySelector('#hit, img')")


def test_what_was_typed_survives_the_end_of_the_session(filled: Site) -> None:
    site, order_id = filled, filled.ids[0]
    page = site.open(site.page("zhang"), f"/workbench/orders/{order_id}")
    settled(page, order_id)
    page.keyboard.press("2")
    page.keyboard.type("写到一半，会话过期了")
    page.context.clear_cookies()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("登录已过期")
    page.get_by_role("link", name="去登录").click()
    page.get_by_label("账号").fill("zhang")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    settled(page, order_id)
    expect(page.locator("#reason")).to_have_value("写到一半，会话过期了")
    expect(page.locator("#decide input[data-number='2']")).to_be_checked()
    page.locator("#reason").press("Enter")
    settled(page, site.ids[1])
    assert record(site, order_id)["reason"] == "写到一半，会话过期了"
    # What the ended session was refused, and nothing else, was written to the console.
    assert all("401" in one for one in site.said), site.said
    site.said.clear()


@pytest.mark.parametrize("name", ["shen", ""])
def test_who_may_not_decide_does_not_see_the_workbench(site: Site, name: str) -> None:
    page = site.page(name)
    answer = page.goto(site.base + "/workbench")
    assert answer is not None
    if name:
        assert answer.status == 403
        expect(page.locator("body")).to_contain_text("没有权限")
        site.open(page, "/")
        expect(page.locator("nav")).not_to_contain_text("派单工作台")
    else:
        assert "/login" in page.url
    site.said.clear()
