"""The overview: every number opens the orders behind it, for those who may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from service import clock
from service.db.tables_queue import ORDER_QUEUE
from service.order_queue import utc
from tests.e2e.browser.conftest import MORNING, Site, running, site_on
from tests.e2e.browser.test_audit import ROOT, decide_day, decided, take_pictures
from tests.service.access.conftest import put

CITY = ROOT / "datasets" / "city" / "orders.jsonl"
#: Neighbours without water: told differently, about one place, within the hour.
BURST = (
    "锦绣家园从早上六点就没有自来水，一楼到六楼都停了，请尽快恢复供水。",
    "锦绣家园停水一上午了，家里有老人做不了饭，供水公司电话打不通。",
    "锦绣家园水龙头一滴自来水都没有，也没有停水通知，什么时候能来水？",
    "锦绣家园早晨到现在自来水停水，厕所冲不了，供水集团什么时候修好？",
    "锦绣家园整个小区停水，是不是供水管爆了，请供水公司派人抢修。",
)
#: Orders of the days before, beside which the burst is unusual; the first of them are dispatched.
USUAL, SENT = 40, 15
#: How far from now the deadlines of those lie, in hours: deadlines can be turned, the clock cannot.
HOURS = (-30, -5, -3, -1, 2, 30, 50)
ALL = len(MORNING) + len(BURST) + USUAL


#: The page asks again until the recent orders are read, which a busy machine takes a while for.
READ_MS = 60_000


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    """A shift lead, orders of the last days, a morning with decisions, and a burst pipe.

    In a service of its own: a burst is unusual beside what came before, and what other tests filed this hour would be more
    than these days had.
    """
    with running(tmp_path_factory.mktemp("overview")) as service, site_on(service, chromium) as site:
        put(site.engine, "ban", "shift_lead", at=clock.now(), display="班红")
        file_usual(site)
        decide_day(site, "0902")
        for number, text in enumerate(BURST):
            site.file(f"202611200903{number:02d}", text, channel="电话")
        yield site


def file_usual(site: Site) -> None:
    now = clock.now(site.settings.time_zone)
    lines = CITY.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[:: len(lines) // USUAL][:USUAL]):
        order_id = f"202611200904{number:02d}"
        received = now - timedelta(days=20, hours=-12 * number)
        proposal = site.file(order_id, json.loads(line)["text"], channel="电话", received_at=received.isoformat())
        if number >= SENT or not proposal["units"]:
            continue
        chosen = {"proposal_id": proposal["proposal_id"], "action": "accept", "unit": proposal["units"][0]["unit"]}
        decided(site, "/v1/decisions", chosen)
        due = now + timedelta(hours=HOURS[number % len(HOURS)])
        with site.engine.begin() as connection:
            row = ORDER_QUEUE.c.order_id == order_id
            connection.execute(update(ORDER_QUEUE).where(row).values(due_at=utc(due)))


def number_on(page: Page, tile: str) -> int:
    return int(page.locator(".numbers a", has_text=tile).locator(".number").inner_text())


@pytest.mark.parametrize("tile", ["今天派出", "等着派单", "已过期", "今天到期"])
def test_a_number_opens_as_many_orders(today: Site, tile: str) -> None:
    page = today.open(today.page("ban"), "/overview")
    number = number_on(page, tile)
    assert number > 0
    page.locator(".numbers a", has_text=tile).focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(number)
    expect(page.get_by_role("status").first).to_contain_text(f"共 {number} 张")


def test_numbers_of_the_morning(today: Site) -> None:
    page = today.open(today.page("ban"), "/overview")
    assert number_on(page, "今天登记") == ALL
    page.locator(".numbers a", has_text="今天登记").click()
    # More than one page of them: the button brings the rest.
    page.get_by_role("link", name="再看后面的").click()
    expect(page.locator("tbody tr")).to_have_count(ALL)
    today.open(page, "/overview")
    page.get_by_text("数字", exact=True).click()
    total = page.locator("section", has_text="今天每小时").locator("tr.sum td").nth(1)
    expect(total).to_have_text(str(ALL))
    page.locator("section", has_text="今天每小时").locator("tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("登记的工单")
    # A shift lead goes on to the workbench.
    page.locator("tbody a").first.click()
    expect(page.locator("#shown")).to_be_visible()


def test_a_burst_is_told_and_opens(today: Site) -> None:
    page = today.open(today.page("ban"), "/overview")
    matter = page.locator(".matter", has_text="锦绣家园").first
    expect(matter).to_be_visible(timeout=READ_MS)
    opened = matter.get_by_role("link")
    number = int(opened.inner_text().split()[0])
    opened.click()
    expect(page.locator("tbody tr")).to_have_count(number)
    expect(page.locator("tbody tr").first).to_contain_text("锦绣家园")


def test_an_auditor_goes_on_to_the_log(today: Site) -> None:
    page = today.open(today.page("shen"), "/overview/orders?event=dispatch")
    page.locator("tbody a").first.click()
    expect(page.locator("table.log tbody tr").first).to_contain_text("派单")


def test_markup_in_an_order_is_text(today: Site) -> None:
    page = today.open(today.page("ban"), "/overview/orders?event=filed")
    expect(page.locator("tbody")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_a_dispatcher_does_not_see_it(today: Site) -> None:
    page = today.open(today.page("zhang"), "/")
    expect(page.get_by_role("link", name="总览")).to_have_count(0)
    for address in ("/overview", "/overview/orders?event=filed", "/overview/hot"):
        answer = page.goto(today.base + address)
        assert answer is not None and answer.status == 403
        expect(page.locator("main")).to_contain_text("班长")
    today.said.clear()


def ready(page: Page, name: str) -> None:
    if name == "overview":
        expect(page.locator(".matter").first).to_be_visible(timeout=READ_MS)
        expect(page.locator("#hours canvas")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "address"),
    [("overview", "/overview"), ("overview-orders", "/overview/orders?status=waiting&district=槐安区")],
)
def test_nothing_serious_in_either_theme_at_either_width(today: Site, name: str, address: str, tmp_path: Path) -> None:
    take_pictures(today, "ban", name, address, ready, tmp_path)
