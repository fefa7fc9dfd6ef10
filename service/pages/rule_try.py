"""试一条: a text or facts to one gate of a pack, as of an instant. Nothing is stored."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from intake.order import MAX_TEXT
from rules import RulePack
from rules.fact_dictionary import Fact, fact_dictionary
from rules.vocabulary import GATES, STAGES
from service.pages.form_fields import Fields, word
from service.pages.forms import NO, YES, facts_of, instant_of
from service.pages.render import fragment, page
from service.pages.rule_view import STATES, TONES, said_facts
from service.pages.rules import PackName, Reader, moment, runtime, tabs
from service.rule_catalogue import check_gate
from service.rule_shelf import find_rule, shown_pack
from service.rulings import RulingRequest, make_ruling, rules_and_calendar

router = APIRouter(include_in_schema=False)
Gate = Annotated[str, Query(max_length=40)]
FIRST = "acceptance"


@router.get("/rules/try")
def try_rules(
    request: Request,
    actor: Reader,
    pack: PackName = "",
    gate: Gate = FIRST,
    rule: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The form: with ``rule`` the facts that it reads stand first."""
    state = runtime(request)
    shown = shown_pack(pack, state.snapshot, state.engine, at=moment(request))
    wanted = find_rule(shown.pack, rule) if rule else None
    gate = check_gate(wanted.gate if wanted else gate) or FIRST
    first, others = _fields(shown.pack, gate, wanted.reads if wanted else ())
    return page(
        request,
        "rules/try.html",
        tabs=tabs(actor),
        shown=shown,
        pack=shown.pack,
        gate=gate,
        gates=GATES,
        rule=wanted,
        first=first,
        others=others,
        choices=(YES, NO),
    )


def _fields(pack: RulePack, gate: str, reads: tuple[str, ...]) -> tuple[list[Fact], list[Fact]]:
    """The facts of one rule, and the others of the gate, those that most rules read first."""
    dictionary = fact_dictionary()
    counts = Counter(name for rule in pack.rules if rule.gate == gate for name in rule.reads)
    names = [name for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if name not in reads]
    first, others = ([fact for name in part if (fact := dictionary.get(name))] for part in (reads, names))
    return first, others


@router.post("/rules/try")
def tried(request: Request, _: Reader, sent: Fields) -> Response:
    """What the gate says. E7985 for a field that was filled in wrongly, the errors of a ruling otherwise."""
    state, now = runtime(request), moment(request)
    zone = state.settings.time_zone
    at = instant_of(word(sent, "as_of")[:40], zone, field="判断时刻") or now
    snapshot = state.snapshot_at(at)
    rules, calendar = rules_and_calendar(word(sent, "pack")[:200], snapshot, state.settings, state.engine, at=at)
    gate = word(sent, "gate")[:40] or FIRST
    reason = word(sent, "return_reason").strip()[:MAX_TEXT]
    question = RulingRequest(
        gate=gate,
        as_of=at,
        facts=facts_of(sent, zone),
        text=word(sent, "text").strip(),
        return_reason=reason or None,
        all_rules=True,
    )
    ruling = make_ruling(question, rules, calendar)
    return fragment(request, "rules/try_result.html", pack=word(sent, "pack"), **_view(ruling))


def _view(ruling: dict[str, Any]) -> dict[str, Any]:
    """The ruling with its verdicts by state, and the values that each read."""
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in STATES}
    for one in ruling["verdicts"]:
        tone = ("good" if one["effect"] == "allow" else TONES[one["severity"]]) if one["state"] == "hit" else ""
        groups[one["state"]].append(one | {"read": said_facts(one["values"]), "tone": tone})
    return {
        "ruling": ruling,
        "groups": [(name, STATES[name], rows) for name, rows in groups.items()],
        "facts": said_facts(ruling["facts"]),
        "stages": STAGES,
    }
