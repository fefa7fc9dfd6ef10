"""What the pages show of a ruling and of the form of a request, as words for a person. Pure: no clock, no database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.datastructures import FormData

from intake.errors import ZhipaiError
from rules.fact_dictionary import Fact, fact_dictionary
from rules.vocabulary import SEVERITIES, STAGES
from service.cases import Material
from service.pages.order_view import STATES, TONES

#: Tone of an answer of the rules to a request.
ANSWER_TONES = {
    "forbidden": "bad", "escalated": "warn", "redirected": "warn", "required": "info", "warned": "warn",
    "advised": "info", "allowed": "good", "silent": "",
}  # fmt: skip
#: What an answer means for the one who asked and the one who reviews.
ANSWER_SAYS = {
    "forbidden": "规则不允许这个申请",
    "escalated": "规则要求提请上级或会商",
    "redirected": "规则指向别的途径",
    "required": "规则说应当照处置办理",
    "warned": "规则提醒不宜",
    "advised": "规则有建议",
    "allowed": "规则允许",
    "silent": "没有规则说话，由人判断",
}
MATERIAL_STATES = {"given": ("有", "good"), "missing": ("缺", "bad"), "unknown": ("没有核实", "warn")}
FACT = "fact."


def ruling_view(ruling: Mapping[str, Any]) -> dict[str, Any]:
    """What ``cases/ruling.html`` reads of a ruling."""
    verdicts = [_verdict(one) for one in ruling["verdicts"]]
    return {
        "answer": ruling["answer"],
        "answer_text": ruling["answer_text"],
        "says": ANSWER_SAYS[ruling["answer"]],
        "tone": ANSWER_TONES[ruling["answer"]],
        "undetermined": ruling["undetermined"],
        "disposition": ruling["disposition"],
        "counterfactual": ruling["counterfactual"],
        "hits": [one for one in verdicts if one["state"] == "hit"],
        "unjudged": [one for one in verdicts if one["state"] == "not_evaluated"],
        "passed": [one for one in verdicts if one["state"] == "pass"],
        "missing": [one for one in ruling["missing"] if one["could_turn"]],
        "missing_rest": [one for one in ruling["missing"] if not one["could_turn"]],
        "unset": ruling["unset"],
        "checklist": [
            {**one, "told": MATERIAL_STATES[one["state"]][0], "tone": MATERIAL_STATES[one["state"]][1]}
            for one in ruling["checklist"]
        ],
        "deadlines": deadline_rows(ruling["deadlines"]),
        "facts": [
            {"label": label_of(name), "value": value_of(value), "derived": name in ruling["derived"]}
            for name, value in sorted(ruling["facts"].items())
        ],
        "as_of": ruling["as_of"],
        "rules": ruling["snapshot"]["rules"],
    }


def deadline_rows(deadlines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The deadlines with the name of their stage."""
    return [
        {**one, "name": f"{one['track']}：{one['title']}" if one["track"] else STAGES[one["stage"]]}
        for one in deadlines
    ]


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    hit = verdict["state"] == "hit"
    return {
        **verdict,
        "told": STATES[verdict["state"]],
        "severity_name": SEVERITIES[verdict["severity"]],
        "tone": "good" if hit and verdict["effect"] == "allow" else TONES[verdict["severity"]] if hit else "",
        "read": [{"label": label_of(name), "value": value_of(value)} for name, value in verdict["values"].items()],
    }


def label_of(name: str) -> str:
    """The Chinese name of a fact."""
    fact = fact_dictionary().get(name)
    return fact.short_name if fact else name


def value_of(value: object) -> str:
    """A value of a fact as a person reads it."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if value is None:
        return "没有"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fact_fields(facts: Iterable[Fact], given: Mapping[str, object]) -> list[dict[str, Any]]:
    """The fields of a form that asks for facts; those that were filled in carry their value."""
    return [
        {
            "name": FACT + fact.name,
            "label": fact.short_name,
            "ask": fact.ask or fact.description,
            "type": fact.type,
            "unit": fact.unit,
            "values": fact.values,
            "value": {True: "true", False: "false", None: ""}.get(given.get(fact.name), str(given.get(fact.name)))  # type: ignore[call-overload]
            if fact.type == "bool"
            else str(given.get(fact.name, "")),
        }
        for fact in facts
        if fact.type != "instant"
    ]


def read_facts(form: FormData) -> dict[str, object]:
    """The facts of a form: those left empty are not given. E3203 for a number that is none."""
    found: dict[str, object] = {}
    for key, sent in form.multi_items():
        text = sent.strip() if isinstance(sent, str) else ""
        if not key.startswith(FACT) or not text:
            continue
        name = key[len(FACT) :]
        fact = fact_dictionary().get(name)
        found[name] = _value(fact, text) if fact else text
    return found


def _value(fact: Fact, text: str) -> object:
    if fact.type == "bool" and text in ("true", "false"):
        return text == "true"
    if fact.type in ("int", "float"):
        try:
            return int(text) if fact.type == "int" else float(text)
        except ValueError:
            raise ZhipaiError("E3203", {"fact": fact.name, "problem": f"应是{fact.wanted}"}, where=fact.name) from None
    return text


def read_materials(form: FormData) -> tuple[Material, ...]:
    """The materials of a form, row by row; rows without a name are left out."""
    columns = [[str(one) for one in form.getlist(f"material_{part}")] for part in ("name", "link", "kind")]
    return tuple(Material(*row) for row in zip(*columns, strict=False) if row[0].strip())
