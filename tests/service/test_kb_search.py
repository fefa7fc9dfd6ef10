"""What the service and the command line say about the knowledge base."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.api.app import create_app
from service.cli.main import app as command_line
from service.settings import Settings

AS_OF = "2026-05-01T09:30:00+08:00"
QUESTION = "租房合同没备案，公积金一个月能提多少"


@pytest.fixture(scope="module")
def client(installed: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(installed)) as client:
        yield client


def search(client: TestClient, q: str, **filters: object) -> dict:
    response = client.get("/v1/kb/search", params={"q": q, "as_of": AS_OF, **filters})
    assert response.status_code == 200, response.text
    return response.json()


def test_search_names_the_entry_its_source_and_the_sentence(client: TestClient) -> None:
    found = search(client, QUESTION)
    assert found["answered"] is True
    first = found["hits"][0]
    assert first["id"] == "K2008"
    assert first["unit"] and first["effective_from"] and len(first["content_hash"]) == 64
    passage = first["passage"]
    assert first[passage["field"]][passage["start"] : passage["end"]] == passage["text"]


@pytest.mark.parametrize(
    "q",
    [
        "公" * 5000,
        QUESTION * 200,
        "税",
        "的了吗",
        "租房合同沒備案，公積金一個月能提多少",
        "gongjijin zenme tiqu",
        "😀",
        "\x00",
    ],
)
def test_odd_questions_are_answered_with_a_reason(client: TestClient, q: str) -> None:
    found = search(client, q)
    assert found["reason"]
    assert found["answered"] <= bool(found["hits"])


def test_traditional_characters_find_the_same(client: TestClient) -> None:
    one, other = (search(client, q)["hits"][0]["id"] for q in (QUESTION, "租房合同沒備案，公積金一個月能提多少"))
    assert one == other


@pytest.mark.parametrize(("q", "word"), [("gongjijin zenme tiqu", "拼音"), ("的了吗", "没有可查")])
def test_question_that_cannot_be_looked_up_says_why(client: TestClient, q: str, word: str) -> None:
    found = search(client, q)
    assert found["answered"] is False
    assert word in found["reason"]


def test_filters_hold(client: TestClient) -> None:
    unit = "云汀市住房公积金管理中心"
    assert {hit["unit"] for hit in search(client, "医保怎么报销", unit=unit)["hits"]} <= {unit}
    assert {hit["district"] for hit in search(client, "老人体检", district="临江区", top=50)["hits"]} <= {"", "临江区"}
    assert search(client, QUESTION, state="草稿")["hits"] == []
    assert search(client, QUESTION, as_of="1990-01-01T00:00:00+08:00")["hits"] == []


@pytest.mark.parametrize(
    "params",
    [{}, {"q": "税", "top": 0}, {"q": "税", "as_of": "2026-05-01"}, {"q": "税", "as_of": "2026-05-01T00:00:00"}],
)
def test_wrong_parameters_are_refused_in_chinese(client: TestClient, params: dict) -> None:
    response = client.get("/v1/kb/search", params=params)
    assert response.status_code == 422
    assert response.json()["code"] == "E6502"


def test_suggestions_follow_the_typing(client: TestClient) -> None:
    for text in ("住房公", "住房公积金租房", QUESTION):
        response = client.post("/v1/kb/suggest", json={"text": text, "as_of": AS_OF})
        assert response.status_code == 200
        assert any("公积金" in row["title"] for row in response.json()["suggestions"])


def test_answer_quotes_and_nothing_else(client: TestClient) -> None:
    found = client.post("/v1/kb/answer", json={"text": QUESTION, "as_of": AS_OF}).json()
    assert found["answered"] is True
    hits = {hit["id"]: hit for hit in search(client, QUESTION)["hits"]}
    for quote in found["quotes"]:
        assert quote["quote"]["text"] in hits[quote["id"]]["answer"]


def test_answer_is_empty_where_no_entry_answers(client: TestClient) -> None:
    found = client.post("/v1/kb/answer", json={"text": "世界杯谁赢了", "as_of": AS_OF}).json()
    assert (found["answered"], found["quotes"]) == (False, [])
    assert found["reason"]


def test_evaluation_command_writes_what_is_asked_for(installed: Settings, root: Path, tmp_path: Path) -> None:
    folder, out = root / "datasets" / "kb_queries", tmp_path / "out.json"
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if str(json.loads(line)["id"]).startswith("Z")][:30]
    queries = tmp_path / "q.jsonl"
    queries.write_text("\n".join([*rows, "{"]), encoding="utf-8")
    arguments = [
        "kb",
        "eval",
        "--entries",
        str(folder / "entries.jsonl"),
        "--queries",
        str(queries),
        "--json",
        str(out),
    ]
    result = CliRunner().invoke(command_line, arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["n"] == 30
    for method in ("bm25", "dense", "fused"):
        assert {"recall_at_1", "recall_at_5", "mrr_at_10"} <= document[method].keys()
    assert document["fused"]["recall_at_5"] >= 0.8
    assert 0 <= document["no_answer"]["auroc"] <= 1
    assert document["skipped"] == ["q.jsonl 第 31 行：不是完整的 JSON"]
    assert "跳过 q.jsonl 第 31 行" in result.stderr


def test_search_command(installed: Settings) -> None:
    result = CliRunner().invoke(command_line, ["kb", "search", QUESTION, "--as-of", AS_OF, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["hits"][0]["id"] == "K2008"
    shown = CliRunner().invoke(command_line, ["kb", "search", QUESTION, "--as-of", AS_OF])
    assert "K2008" in shown.stdout
