"""Questions and the entries that answer them, in groups of near-twins: what the encoder's adapter learns from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from intake.errors import ZhipaiError, register
from knowledge_base.words import normalise

register(
    "E5301",
    "问答对写得不对",
    "“{name}”第 {line} 行{problem}。每行是一个 JSON 对象：group、title、answer 是文字，questions 是至少一句问法。",
)
register("E5302", "问答对太少", "“{name}”里只有 {groups} 组问答，至少要 {least} 组才有可分辨的。请补充。")

#: Groups that fill a batch and leave some to choose from.
LEAST_GROUPS = 12
#: How often an entry is shown by its answer alone: real bases hold replies without a title.
WITHOUT_TITLE = 0.3


@dataclass(frozen=True, slots=True)
class AnsweredEntry:
    """An entry and the questions that it answers, and no other of its group does.

    Parameters
    ----------
    group : str
        Entries on one subject that differ in one condition.
    title, answer : str
        Title empty for a reply.
    questions : tuple of str
    """

    group: str
    title: str
    answer: str
    questions: tuple[str, ...]


def read_pairs(path: Path) -> list[AnsweredEntry]:
    """Read a JSON Lines file; E5301 with the line, E5302."""
    entries = []
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except ValueError as error:
                raise ZhipaiError("E5301", {"name": path.name, "line": line, "problem": "不是 JSON"}) from error
            entries.append(_entry(row, path.name, line))
    groups = len({entry.group for entry in entries})
    if groups < LEAST_GROUPS:
        raise ZhipaiError("E5302", {"name": path.name, "groups": groups, "least": LEAST_GROUPS})
    return entries


def _entry(row: Any, name: str, line: int) -> AnsweredEntry:
    def wrong(problem: str) -> ZhipaiError:
        return ZhipaiError("E5301", {"name": name, "line": line, "problem": problem})

    if not isinstance(row, Mapping):
        raise wrong("不是一个对象")
    for key in ("group", "title", "answer"):
        if not isinstance(row.get(key), str):
            raise wrong(f"的 {key} 不是文字")
    questions = row.get("questions")
    if not isinstance(questions, list) or not all(isinstance(one, str) and one.strip() for one in questions):
        raise wrong("的 questions 不是文字的列表")
    if not questions or not row["answer"].strip():
        raise wrong("没有答复或没有问法")
    return AnsweredEntry(row["group"], row["title"], row["answer"], tuple(questions))


def batches(entries: Sequence[AnsweredEntry], *, size: int, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Endless batches of (question, entry), whole groups together, so that its twins are what an entry is told from.

    Every question of an entry is asked before one comes again.
    """
    draw = Random(seed)
    groups: dict[str, list[AnsweredEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(entry)
    waiting: dict[AnsweredEntry, list[str]] = {}
    queue: list[list[AnsweredEntry]] = []
    while True:
        batch: list[tuple[str, str]] = []
        while len(batch) < size:
            if not queue:
                queue = draw.sample(list(groups.values()), len(groups))
            for entry in queue.pop()[: size - len(batch)]:
                if not waiting.get(entry):
                    waiting[entry] = draw.sample(entry.questions, len(entry.questions))
                bare = not entry.title or draw.random() < WITHOUT_TITLE
                text = entry.answer if bare else f"{entry.title}\n{entry.answer}"
                batch.append((normalise(waiting[entry].pop()), normalise(text)))
        yield batch
