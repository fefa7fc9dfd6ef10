"""The model pages over HTTP: figures of each version, checks, promotion and rollback, and labels that are no suggestions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.api.app import create_app
from service.db.engine import reading
from service.db.tables import DECISIONS
from service.settings import Settings
from tests.service.conftest import fresh_home, own_store
from training.catalogue import catalogue
from training.champion import champion
from training.publish import CURVE
from training.registry import Registry

HTMX = {"hx-request": "true"}
PROGRAM = HTMX | {"accept": "*/*"}
TEXTS = (
    "隔壁单位院里的狗晚上一直叫，院子外面的围墙也快倒了",
    "临江区滨河路烧烤店每晚十点后油烟很大，孩子一直咳嗽，电话13800001111",
    "小区电梯一个月坏了五次，昨天又把两个人关在里面四十分钟",
    "<script>alert(1)</script>路灯坏了三天没人修，晚上接孩子看不见路",
)


def second_version(store: Path, *, whole: bool) -> str:
    """The champion's own files registered once more: with its answers to the frozen test, or as old software did."""
    registry = Registry(store)
    first = catalogue(store)[-1]
    files = first.kept if whole else None
    return registry.register(
        first.version.path, params=first.params, metrics=first.metrics, tags={"source": first.source}, files=files
    ).version


@pytest.fixture(scope="module")
def shop(installed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A running service with a model store of its own: the champion, the same once more, and one without evidence."""
    folder = tmp_path_factory.mktemp("shop")
    # What other tests registered or promoted meanwhile does not matter here.
    own_store(installed, folder / "mlruns")
    config = fresh_home(installed, folder / "home").model_copy(update={"mlruns": folder / "mlruns"})
    assert second_version(config.mlruns, whole=True) and second_version(config.mlruns, whole=False)
    with TestClient(create_app(config), raise_server_exceptions=False, headers={"accept": "text/html"}) as running:
        for number, text in enumerate(TEXTS):
            answer = running.post("/v1/orders", json={"text": text, "order_id": f"L{number}"})
            assert answer.status_code == 201, answer.text
        yield running


def store_of(shop: TestClient) -> Path:
    return shop.app.state.runtime.settings.mlruns


def records(shop: TestClient, kind: str) -> list[dict]:
    with reading(shop.app.state.runtime.engine) as connection:
        query = select(DECISIONS.c.record).where(DECISIONS.c.kind == kind).order_by(DECISIONS.c.sequence)
        return [json.loads(record) for record in connection.execute(query).scalars()]


def test_versions_stand_with_their_figures(shop: TestClient) -> None:
    page = shop.get("/models").text
    newest, whole = catalogue(store_of(shop))[:2]
    assert f"版本 {newest.number}" in page and "现行" in page and f"{whole.metrics['top1']:.3f}" in page
    assert "95% 区间" in page


def test_a_version_is_drawn_from_the_answers_that_it_kept(shop: TestClient) -> None:
    newest, whole = catalogue(store_of(shop))[:2]
    page = shop.get(f"/models/versions/{whole.number}").text
    for part in ('id="reliability"', 'id="coverage"', "易混的单位", "最差的单位", "application/json"):
        assert part in page
    assert "没有留下冻结测试的答案" in shop.get(f"/models/versions/{newest.number}").text
    assert "没有这个模型版本" in shop.get("/models/versions/999").text


def test_the_learning_curve_of_a_version_or_that_it_has_none(shop: TestClient) -> None:
    newest, whole = catalogue(store_of(shop))[:2]
    without = shop.get(f"/models/versions/{whole.number}").text
    assert "这个版本没有学习曲线" in without and 'id="learning"' not in without
    means = [{"top1": top1, "top3": top1 + 0.1, "macro_f1": 0.4} for top1 in (0.512, 0.534)]
    points = [
        {"labels": labels, "random": means[0], "suggested": means[1], "margin": 0.022, "margin_se": 0.01}
        for labels in (100, 1000)
    ]
    measured = {"test": 200, "pool": 1000, "seeds": 3, "strategy": "margin", "points": points}
    whole.kept.joinpath(CURVE).write_text(json.dumps(measured), encoding="utf-8")
    page = shop.get(f"/models/versions/{whole.number}").text
    drawn = page[page.index('id="learning"') :]
    for part in ("[1000, 0.534]", "3 次平均", ">1,000</td>", ">0.512</td>", ">0.634</td>", "按建议标，前 1"):
        assert part in drawn, part
    assert "这个版本没有学习曲线" not in page and "用训练这个版本的工单测得" in page
    assert "这个版本没有学习曲线" in shop.get(f"/models/versions/{newest.number}").text, "没有留下答案的版本也说"
    whole.kept.joinpath(CURVE).unlink()


def test_what_fails_a_check_is_not_promoted(shop: TestClient) -> None:
    newest = catalogue(store_of(shop))[0]
    checks = shop.post(f"/models/versions/{newest.number}/check", headers=HTMX).text
    assert "不能上线" in checks and "没有留下冻结测试的答案" in checks and 'name="reason"' not in checks
    answer = shop.post(f"/models/versions/{newest.number}/promote", data={"reason": "试试"}, headers=PROGRAM)
    assert answer.json()["code"] == "E5107" and "没有留下" in answer.json()["detail"]
    assert champion(store_of(shop)).version == "1" and records(shop, "model_promotion") == []


def test_promote_and_roll_back_with_a_reason(shop: TestClient) -> None:
    whole = catalogue(store_of(shop))[1]
    assert "通过" in shop.post(f"/models/versions/{whole.number}/check", headers=HTMX).text
    without = shop.post(f"/models/versions/{whole.number}/promote", data={"reason": " "}, headers=PROGRAM)
    assert (without.status_code, without.json()["code"]) == (422, "E7985")
    done = shop.post(f"/models/versions/{whole.number}/promote", data={"reason": "新数据"}, headers=HTMX)
    assert done.status_code == 204, done.text
    assert champion(store_of(shop)).version == whole.number
    assert "新数据" in shop.get(done.headers["hx-redirect"]).text
    stale = shop.post("/models/rollback", data={"reason": "退回", "seen": "1"}, headers=PROGRAM)
    assert (stale.status_code, stale.json()["code"]) == (409, "E7986")
    back = shop.post("/models/rollback", data={"reason": "误派多", "seen": whole.number}, headers=HTMX)
    assert back.status_code == 204 and champion(store_of(shop)).version == "1"
    first, second = records(shop, "model_promotion")
    assert (first["actor"], first["reason"], first["action"]) == ("local", "新数据", "promote")
    assert (second["action"], second["version"]) == ("rollback", "1")


def test_labels_are_answers_and_the_suggestion_stays_apart(shop: TestClient) -> None:
    page = shop.get("/models/labels").text
    order_id = page.split('data-label-order="')[1].split('"')[0]
    choices = [part.split('"')[0] for part in page.split('name="unit" value="')[1:]]
    assert choices == sorted(choices), "先后与模型无关"
    assert "<script>alert" not in page and "13800001111" not in page
    assert "模型的建议" in shop.get(f"/models/labels/{order_id}/suggestion", headers=HTMX).text
    sent = {"unit": choices[0], "key": "first-label", "peeked": "on"}
    after = shop.post(f"/models/labels/{order_id}", data=sent, headers=HTMX).text
    assert f'data-label-order="{order_id}"' not in after and "已标 <b>1</b>" in after
    # Sent twice it counts once; another answer for the same order is refused.
    assert shop.post(f"/models/labels/{order_id}", data=sent, headers=HTMX).status_code == 200
    again = shop.post(f"/models/labels/{order_id}", data=sent | {"key": "second-label"}, headers=PROGRAM)
    assert (again.status_code, again.json()["code"]) == (409, "E7987")
    following = after.split('data-label-order="')[1].split('"')[0]
    wrong = {"other": "没有这个单位", "key": "third-label"}
    assert shop.post(f"/models/labels/{following}", data=wrong, headers=PROGRAM).json()["code"] == "E1101"
    assert (
        shop.post(f"/models/labels/{following}", data={"skip": "on", "key": "a-skip-now"}, headers=HTMX).status_code
        == 200
    )
    answer, skip = records(shop, "label")
    assert (answer["unit"], answer["peeked"], answer["role"]) == (choices[0], True, "local")
    assert answer["suggested"] and "text" not in answer
    assert (skip["action"], skip["unit"], skip["peeked"]) == ("skip", "", False)
    rows = list(csv.DictReader(io.StringIO(shop.get("/models/labels.csv").content.decode("utf-8-sig"))))
    assert [(row["答案单位"], row["标注人"]) for row in rows] == [(choices[0], "local"), ("", "local")]
    assert all("13800001111" not in row["诉求内容"] for row in rows)


def test_drift_reports_are_opened_in_a_sandbox(shop: TestClient) -> None:
    folder = shop.app.state.runtime.settings.home / "drift"
    folder.mkdir()
    (folder / "week.html").write_text("<p>漂移</p>", encoding="utf-8")
    assert "week.html" in shop.get("/models/drift").text
    answer = shop.get("/models/drift/week.html")
    assert answer.headers["content-security-policy"].startswith("sandbox;") and "漂移" in answer.text
