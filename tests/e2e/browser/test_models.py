"""The data scientist's main job: look at a version, check and promote it, roll back, label what is most useful."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from service import clock
from service.db.tables import DECISIONS
from service.model_life import Mover, promote_version
from service.model_shadow import FOLDER, ModelTally
from service.settings import Settings
from service.shadow_worker import CountsFile
from service.training import load_encoder
from tests.e2e.browser.conftest import Site, file_morning, site_on
from tests.e2e.browser.test_rules import LOOKS, PATIENT, look
from tests.service.access.conftest import put
from tests.service.pages.test_models_pages import second_version
from training.champion import champion


@pytest.fixture(scope="module")
def lab(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """A data scientist, a morning's orders, and two more versions: a whole one, and one that cannot be promoted."""
    with site_on(service, chromium) as site:
        put(site.engine, "suan", "data_scientist", at=clock.now(), display="吴算")
        file_morning(site)
        recorded(site)
        shadow_counts(site.settings.home)
        site.ids.append(second_version(site.settings.mlruns, whole=True))
        site.ids.append(second_version(site.settings.mlruns, whole=False))
        yield site


def recorded(site: Site) -> None:
    """The version in force has its record, as after a set-up of this very database."""
    at = clock.now(site.settings.time_zone)
    encoder = load_encoder(site.settings)
    assert promote_version(site.settings, "1", mover=Mover("zhipai train"), at=at, encoder=encoder).done


def shadow_counts(home: Path) -> None:
    """What a shadow model counted in one process, and a drift report: what the page lists."""
    tally = ModelTally("model-a", "model-b", first="2026-11-20T08:00:00+08:00", last="2026-11-20T18:00:00+08:00")
    tally.compared, tally.differing = 640, 31
    pair = {"live": "临江区城市管理局", "shadow": "云汀市生态环境局临江分局", "orders": 31, "proposals": []}
    tally.pairs["one"] = pair
    CountsFile(home / FOLDER, started=clock.now("Asia/Shanghai")).write(lambda: [asdict(tally)])
    (home / "drift").mkdir()
    (home / "drift" / "2026-47.html").write_text("<h1>漂移</h1>", encoding="utf-8")


def records(site: Site, kind: str) -> list[dict[str, Any]]:
    with site.engine.connect() as connection:
        query = select(DECISIONS.c.record).where(DECISIONS.c.kind == kind).order_by(DECISIONS.c.sequence)
        return [json.loads(record) for record in connection.execute(query).scalars()]


def drawn(page: Page, name: str) -> None:
    if name == "models-version":
        expect(page.locator(".chart canvas").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("models-list", "/models"),
        ("models-version", "/models/versions/1"),
        ("models-labels", "/models/labels"),
        ("models-drift", "/models/drift"),
    ],
)
def test_pages_in_both_themes_at_both_widths(lab: Site, tmp_path: Path, name: str, path: str) -> None:
    for size, scheme in LOOKS:
        page = lab.open(lab.page("suan", size=size, scheme=scheme), path)
        drawn(page, name)
        look(lab, page, name, tmp_path, size, scheme)
        page.context.close()


def test_labels_with_the_keyboard(lab: Site) -> None:
    page = lab.open(lab.page("suan"), "/models/labels")
    press = page.keyboard.press
    desk = page.locator("[data-label-order]")
    first = desk.get_attribute("data-label-order")
    press("Enter")
    expect(page.locator("#toasts")).to_contain_text("先选一个单位")
    press("2")
    chosen = page.locator("input[name=unit]:checked").input_value()
    press("Enter")
    expect(desk).not_to_have_attribute("data-label-order", first or "")
    second = desk.get_attribute("data-label-order")
    assert page.locator("#suggestion h3").count() == 0
    press("v")
    expect(page.locator("#suggestion")).to_contain_text("模型的建议")
    press("1")
    press("Enter")
    expect(desk).not_to_have_attribute("data-label-order", second or "")
    third = desk.get_attribute("data-label-order")
    press("s")
    expect(desk).not_to_have_attribute("data-label-order", third or "")
    fourth = desk.get_attribute("data-label-order")
    press("b")
    page.keyboard.type("没有这个局")
    press("Enter")
    expect(page.locator("#toasts")).to_contain_text("没有这个局")
    expect(page.locator("#other")).to_have_value("没有这个局")
    page.reload()
    expect(page.locator("[data-label-order]")).to_have_attribute("data-label-order", fourth or "")
    expect(page.locator("#other")).to_have_value("没有这个局")
    answers = records(lab, "label")
    assert [(one["order_id"], one["action"], one["peeked"]) for one in answers] == [
        (first, "answer", False),
        (second, "answer", True),
        (third, "skip", False),
    ]
    assert answers[0]["unit"] == chosen and answers[0]["actor"] == "suan" and answers[0]["role"] == "data_scientist"
    lab.said.clear()  # The browser itself notes the refused unit.


def test_the_failing_line_is_shown_and_the_form_is_not(lab: Site) -> None:
    page = lab.open(lab.page("suan"), f"/models/versions/{lab.ids[-1]}")
    page.get_by_role("button", name="现在检查").click()
    checks = page.locator("#checks")
    expect(checks).to_contain_text("不能上线", timeout=PATIENT)
    expect(checks).to_contain_text("没有留下冻结测试的答案")
    assert checks.locator("[name=reason]").count() == 0


def test_check_promote_and_roll_back(lab: Site, tmp_path: Path) -> None:
    number = lab.ids[-2]
    page = lab.open(lab.page("suan"), f"/models/versions/{number}")
    page.get_by_role("button", name="现在检查").click()
    expect(page.locator("#checks")).to_contain_text("可以上线", timeout=PATIENT)
    look(lab, page, "models-checks", tmp_path, *LOOKS[0])
    page.locator("#reason").fill("多了一周的工单")
    page.get_by_role("button", name=f"上线版本 {number}").click()
    page.wait_for_url("**/models?done=*", timeout=PATIENT)
    expect(page.locator("main")).to_contain_text("多了一周的工单")
    assert champion(lab.settings.mlruns).version == number  # type: ignore[union-attr]
    page.locator("summary", has_text="退回上一个").click()
    page.locator("#why").fill("误派多了")
    page.get_by_role("button", name="退回版本").click()
    expect(page.locator("main")).to_contain_text("误派多了", timeout=PATIENT)
    assert champion(lab.settings.mlruns).version == "1"  # type: ignore[union-attr]
    assert [one["actor"] for one in records(lab, "model_promotion")] == ["zhipai train", "suan", "suan"]


def test_a_dispatcher_sees_no_models_and_an_auditor_only_reads(lab: Site) -> None:
    page = lab.open(lab.page("zhang"), "/")
    assert page.get_by_role("link", name="模型").count() == 0
    page.goto(lab.base + "/models")
    expect(page.locator("body")).to_contain_text("数据科学家")
    reader = lab.open(lab.page("shen"), "/models/versions/1")
    expect(reader.locator("h1")).to_contain_text("版本 1")
    assert reader.get_by_role("button", name="现在检查").count() == 0
    assert reader.locator(".tabs a", has_text="标注").count() == 0
    lab.said.clear()  # The browser itself notes the 403.
