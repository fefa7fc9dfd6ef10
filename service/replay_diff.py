"""Where two proposals differ, how far, and why that may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: A proposal holds probabilities to four places. Another library may tip the last of them, and no more.
TOLERANCE = 1e-4
#: Against the error of subtracting two decimal fractions.
_SLACK = 1e-9
#: Numbers that a model or an index gives; any other number has to be the same.
_SCORES = ("/probability", "/weight", "/score")
#: Keys of a context → what they are called.
_CONTEXT = {"software": "软件", "python": "Python", "machine": "处理器", "encoder": "编码器", "gazetteer": "地名表"}


@dataclass(frozen=True, slots=True)
class Difference:
    """At ``path`` (JSON pointer) the proposal said ``then`` and says ``now``; ``within``: inside the tolerance."""

    path: str
    then: Any
    now: Any
    within: bool
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def differences(then: Any, now: Any, *, tolerance: float = TOLERANCE, path: str = "") -> Iterator[Difference]:
    """Every place where two JSON documents differ; what is only in one is None in the other."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from differences(then.get(key), now.get(key), tolerance=tolerance, path=f"{path}/{key}")
    elif isinstance(then, list) and isinstance(now, list):
        for place in range(max(len(then), len(now))):
            one, other = (side[place] if place < len(side) else None for side in (then, now))
            yield from differences(one, other, tolerance=tolerance, path=f"{path}/{place}")
    elif then != now or type(then) is not type(now):
        yield Difference(path, then, now, _close(path, then, now, tolerance))


def _close(path: str, then: Any, now: Any, tolerance: float) -> bool:
    if isinstance(then, bool) or isinstance(now, bool):
        return False
    if not (isinstance(then, int | float) and isinstance(now, int | float) and path.endswith(_SCORES)):
        return False
    return abs(then - now) <= tolerance + _SLACK


def changed_context(then: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    """What is different about the machine and the software, in words; nothing where it was not noted then."""
    if then is None:
        return []
    told = [
        f"{title}：{then.get(name) or '无'} → {now.get(name) or '无'}"
        for name, title in _CONTEXT.items()
        if then.get(name) != now.get(name)
    ]
    before, after = then.get("libraries", {}), now.get("libraries", {})
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return told + [f"库 {name}：{before.get(name, '无')} → {after.get(name, '无')}" for name in names]


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What a person asks of two proposals: which units, verdicts and deadlines are others."""
    return {
        "units": _units(then["units"], now["units"]),
        "verdicts": _keyed(then["verdicts"], now["verdicts"], key=("gate", "rule_id"), values=("state", "title")),
        "deadlines": _keyed(
            then["deadlines"], now["deadlines"], key=("stage", "track", "title"), values=("due_at", "limit", "state")
        ),
    }


def _units(then: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def ranks(units: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {one["unit"]: {"rank": rank, "probability": one["probability"]} for rank, one in enumerate(units, 1)}

    before, after = ranks(then), ranks(now)
    return [
        {"unit": name, "then": before.get(name), "now": after.get(name)}
        for name in dict.fromkeys([*after, *before])
        if before.get(name) != after.get(name)
    ]


def _keyed(
    then: list[dict[str, Any]], now: list[dict[str, Any]], *, key: tuple[str, ...], values: tuple[str, ...]
) -> list[dict[str, Any]]:
    def rows(found: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(one[name] for name in key): {name: one.get(name) for name in values} for one in found}

    before, after = rows(then), rows(now)
    return [
        dict(zip(key, names, strict=True)) | {"then": before.get(names), "now": after.get(names)}
        for names in dict.fromkeys([*before, *after])
        if before.get(names) != after.get(names)
    ]
