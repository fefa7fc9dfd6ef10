"""Every page in both themes and at both widths: axe-core finds nothing serious; screenshots for the guide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from service.settings import Settings
from tests.e2e.browser.conftest import NARROW, WIDE, Site, file_morning, site_on

#: With ZHIPAI_SCREENSHOTS=1 the pictures of the guide are taken anew; otherwise they are only taken.
IMAGES = Path(__file__).parents[3] / "docs" / "guide" / "img"
PAGES = {
    "start": "/",
    "try": "/try",
    "workbench": "/workbench/orders/{0}",
    "refusable": "/workbench/orders/{2}",
    "doubtful": "/workbench/orders/{4}",
    "list": "/workbench?list=1",
    "help": "/workbench",
    "error": "/nowhere",
}


@pytest.fixture(scope="module")
def morning(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """A morning's orders that nobody decides on: all pictures show the same."""
    with site_on(service, chromium) as site:
        file_morning(site)
        yield site


def ready(page: Page, name: str) -> None:
    if name in ("workbench", "refusable", "doubtful"):
        expect(page.locator("#similar")).not_to_contain_text("正在比较")
    if name == "doubtful":
        expect(page.locator(".right")).to_contain_text("疑难：")
    if name == "refusable":
        page.keyboard.press("r")
        expect(page.locator("#refuse")).to_be_visible()
    if name == "help":
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
    if name == "try":
        page.get_by_role("button", name="取得建议").click()
        expect(page.locator("#result")).to_contain_text("派给谁")


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}（{one['impact']}）：{node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_in_either_theme_at_either_width(morning: Site, name: str, tmp_path: Path) -> None:
    images = IMAGES if os.environ.get("ZHIPAI_SCREENSHOTS") else tmp_path
    for size, scheme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")):
        page = morning.page("zhang", size=size, scheme=scheme)
        morning.open(page, PAGES[name].format(*morning.ids))
        ready(page, name)
        assert serious(page) == [], (name, size, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), "没有横向滚动"
        if (size, scheme) in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light")):
            picture = images / f"{name}-{size[0]}{'-dark' if scheme == 'dark' else ''}.png"
            images.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=picture)
            assert picture.stat().st_size < 400_000
        page.context.close()
    if name == "error":
        # The browser itself notes the 404.
        morning.said.clear()


def test_large_type_and_theme_are_kept_and_print_leaves_the_frame_out(morning: Site) -> None:
    page = morning.open(morning.page("zhang"), PAGES["workbench"].format(*morning.ids))
    before = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
    page.get_by_role("button", name="大字").click()
    page.get_by_role("button", name="深色").click()
    page.reload()
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") > before * 1.25
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    assert serious(page) == []
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".text")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
