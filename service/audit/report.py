"""What a verification found: problems with their place, in sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: kind of problem -> what it is called.
KINDS = {
    "edited": "内容被改",
    "moved": "位置被换",
    "missing": "缺少记录",
    "inserted": "多出记录",
    "column": "列与记录不符",
    "tree": "校验树被改",
    "truncated": "尾部被截",
    "rewritten": "历史被改写",
    "checkpoint": "检查点不可信",
}
#: Problems that are kept with their place. All are counted.
KEPT = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """``sequence`` to ``last`` are the records concerned; ``decision_id`` is empty where it is not known."""

    kind: str
    says: str
    sequence: int
    last: int
    decision_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "title": KINDS[self.kind],
            "sequence": self.sequence,
            "last": self.last,
            "decision_id": self.decision_id,
            "says": self.says,
        }


@dataclass(slots=True)
class Report:
    """Of one verification.

    ``checkpoints`` agree with the log, up to record ``vouched``. ``problems`` are the first :data:`KEPT`; ``counts``
    has all of them by kind.
    """

    origin: str
    hash: str
    size: int = 0
    root: str = ""
    checkpoints: int = 0
    vouched: int = 0
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def whole(self) -> bool:
        return not self.counts

    def found(self, kind: str, says: str, *, sequence: int, last: int = 0, decision_id: str = "") -> None:
        self.counts[kind] += 1
        if len(self.problems) < KEPT:
            self.problems.append(Problem(kind, says, sequence, last or sequence, decision_id))

    def sentence(self) -> str:
        """The outcome in one sentence."""
        if not self.whole:
            kinds = "、".join(f"{KINDS[kind]} {count} 处" for kind, count in self.counts.most_common())
            return f"日志不可信：{kinds}。"
        if not self.size:
            return "日志还是空的，没有发现问题。"
        if not self.checkpoints:
            return (
                f"日志 {self.size} 条前后相符，但还没有检查点：整个数据库若被一并重算，看不出来。"
                "请运行 zhipai audit checkpoint 并把检查点交给另一个部门保存。"
            )
        more = "" if self.vouched == self.size else f"（检查点管到第 {self.vouched} 号，其后的由下一个检查点管）"
        return f"日志 {self.size} 条完整，没有缺少、改动或换位，与 {self.checkpoints} 个检查点一致{more}。"

    def as_dict(self) -> dict[str, Any]:
        return {
            "whole": self.whole,
            "says": self.sentence(),
            "origin": self.origin,
            "hash": self.hash,
            "size": self.size,
            "root": self.root,
            "checkpoints": self.checkpoints,
            "vouched": self.vouched,
            "counts": dict(self.counts),
            "problems": [problem.as_dict() for problem in self.problems],
        }
