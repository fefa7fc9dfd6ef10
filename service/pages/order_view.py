"""What the workbench shows of one order: a proposal as words for a person. Pure: no clock, no database."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from knowledge_base import KnowledgeEntry, KnowledgeIndex
from knowledge_base.passage import best_passage
from rules.vocabulary import GATES, SEVERITIES, STAGES
from service.pages.highlight import missing, segments

EVIDENCE = {
    "word": "用词",
    "similar_order": "往日相近的工单",
    "duty": "职责条目",
    "field": "登记的字段",
    "rule": "规则",
}
STATES = {"hit": "命中", "pass": "未命中", "not_evaluated": "无法判断"}
ABSTAINED = {
    "cold": "还没有历史工单可学",
    "directory": "名录里没有可派的单位",
    "far": "往日没有相近的工单",
    "place": "地点不明：几个区都有这项职能",
    "torn": "前几名难分高下",
}
#: Tone of a verdict by its severity, where it hit and does not merely allow.
TONES = {"block": "bad", "warn": "warn", "info": "info"}


def order_view(proposal: Mapping[str, Any], knowledge: KnowledgeIndex) -> dict[str, Any]:
    """What the templates ``workbench/*.html`` read of a proposal."""
    order, elements = proposal["order"], proposal["elements"]
    units = [_unit(unit) for unit in proposal["units"]]
    words = units[0]["words"] if units else []
    return {
        "proposal_id": proposal["proposal_id"],
        "as_of": proposal["as_of"],
        "order": order,
        "erased": not order["text"],
        "title": segments(order["title"], elements),
        "text": segments(order["text"], elements, words),
        "missing": missing(elements),
        "place": " ".join(
            part for part in (elements["place"][name] for name in ("district", "street", "community")) if part
        ),
        "units": units,
        "abstained": proposal["abstained"],
        "abstain": ABSTAINED.get(proposal["abstain_kind"], ""),
        "abstain_reason": proposal["abstain_reason"],
        "backoff": proposal["backoff"],
        "coverage_set": proposal["coverage_set"],
        "joint": proposal.get("joint", []),
        "verdicts": [_verdict(one) for one in proposal["verdicts"] if one["state"] == "hit"],
        "unjudged": [_verdict(one) for one in proposal["verdicts"] if one["state"] == "not_evaluated"],
        "deadlines": [_deadline(deadline) for deadline in proposal["deadlines"]],
        "entries": _entries(proposal, knowledge),
        "snapshot": proposal["snapshot"],
    }


def _unit(unit: Mapping[str, Any]) -> dict[str, Any]:
    """A unit with its evidence by kind: what a person reads, and the numbers of past orders."""
    found: dict[str, list[dict[str, str]]] = {}
    for one in unit["evidence"]:
        if one["text"]:
            found.setdefault(one["kind"], []).append({"text": one["text"], "ref": one["ref"]})
    return {
        "unit": unit["unit"],
        "probability": unit["probability"],
        "words": [one["text"] for one in found.get("word", [])],
        "evidence": [{"kind": kind, "name": EVIDENCE.get(kind, kind), "items": items} for kind, items in found.items()],
    }


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    hit = verdict["state"] == "hit"
    return {
        **verdict,
        "told": STATES[verdict["state"]],
        "gate_name": GATES[verdict["gate"]],
        "severity_name": SEVERITIES[verdict["severity"]],
        "tone": "good" if hit and verdict["effect"] == "allow" else TONES[verdict["severity"]] if hit else "",
        #: A hit of the acceptance gate that does not let the order through is what a refusal can rest on.
        "refuses": hit and verdict["gate"] == "acceptance" and verdict["effect"] in ("forbid", "redirect"),
    }


def _deadline(deadline: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{deadline['track']}：{deadline['title']}" if deadline["track"] else STAGES[deadline["stage"]]
    return {**deadline, "name": name}


def _entries(proposal: Mapping[str, Any], knowledge: KnowledgeIndex) -> list[dict[str, Any]]:
    """The entries with the passage that answers; those that were withdrawn meanwhile keep their title."""
    text = proposal["order"]["text"]
    return [{**row, **passage_of(_standing(knowledge, row["id"]), text, knowledge)} for row in proposal["entries"]]


def _standing(knowledge: KnowledgeIndex, entry_id: str) -> KnowledgeEntry | None:
    """The entry of an id; the index keeps them in the order of their ids."""
    place = bisect_left(knowledge.entries, entry_id, key=lambda entry: entry.id)
    found = knowledge.entries[place] if place < len(knowledge.entries) else None
    return found if found is not None and found.id == entry_id else None


def passage_of(entry: KnowledgeEntry | None, text: str, knowledge: KnowledgeIndex) -> dict[str, str]:
    """``answer`` in three parts: before the passage that answers the text, the passage, after it."""
    if entry is None:
        return {"before": "", "passage": "", "after": ""}
    passage = best_passage(entry, text, knowledge.lexical)
    if passage is None:
        return {"before": entry.answer, "passage": "", "after": ""}
    whole = str(getattr(entry, passage.field))
    return {"before": whole[: passage.start], "passage": passage.text, "after": whole[passage.end :]}


def hits(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entries that a search found (:func:`service.kb_search.search`), as :func:`_entries` shows them."""
    shown = []
    for row in rows:
        passage = row["passage"]
        whole = row["answer"]
        inside = passage is not None and passage["field"] == "answer"
        shown.append(
            {
                **row,
                "before": whole[: passage["start"]] if inside else whole,
                "passage": passage["text"] if passage else "",
                "after": whole[passage["end"] :] if inside else "",
            }
        )
    return shown
