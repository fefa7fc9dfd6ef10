"""A ruling (研判): what the rules of one gate amount to for one set of facts, and what it rests on.

A ruling answers in one word (:data:`rules.answer.ANSWERS`), names the rules that decide, the clause and disposition of
each, what is missing and how much it matters, and what would have to be otherwise. It decides nothing: a person does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rules.answer import ANSWERS, Answer, answer_of, decide, open_rules, strongest
from rules.calendar import WorkCalendar
from rules.counterfactual import Counterfactual, find_counterfactual
from rules.deadlines import Deadline, compute_deadlines
from rules.engine import Evaluation, RuleEngine
from rules.evaluate import evaluate, rules_in_force
from rules.fact_dictionary import Value, fact_dictionary
from rules.pack import RulePack
from rules.ruling_gaps import Material, MissingFact, Unset, checklist, missing_facts, unset_values
from rules.times import time_facts
from rules.verdict import Disposition, Verdict
from rules.vocabulary import GATES

#: The instant from which limits count.
START = "dispatched_at"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules of one gate say. Everything follows from gate, facts, ``as_of``, pack and calendar.

    Parameters
    ----------
    answer, decided_by
        The answer and the ids of the rules that give it.
    undetermined_by : tuple of str
        Rules that could not be evaluated and would, if they hit, give a stronger answer.
    verdicts : tuple of Verdict
        Those that hit or could not be evaluated; all where that was asked.
    facts : dict
        The facts that were read, with those derived from instants (``derived``).
    disagreements : tuple of str
        Rules on which the two engines differed; they decide nothing, the matter goes to a person.
    """

    gate: str
    as_of: str
    answer: Answer
    decided_by: tuple[str, ...]
    undetermined_by: tuple[str, ...]
    disposition: Disposition | None
    verdicts: tuple[Verdict, ...]
    missing: tuple[MissingFact, ...]
    unset: tuple[Unset, ...]
    checklist: tuple[Material, ...]
    counterfactual: Counterfactual
    deadlines: tuple[Deadline, ...]
    facts: dict[str, Value]
    derived: tuple[str, ...]
    engine: str
    disagreements: tuple[str, ...]
    pack_id: str
    calendar_id: str

    @property
    def undetermined(self) -> bool:
        return bool(self.undetermined_by)

    @property
    def id(self) -> str:
        """``r-`` and 32 hex digits over what the ruling follows from."""
        content = {
            "gate": self.gate,
            "as_of": self.as_of,
            "facts": self.facts,
            "snapshot": [self.pack_id, self.calendar_id],
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "r-" + hashlib.sha256(text.encode()).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        """The ruling as JSON; the day-by-day count of deadlines is left to ``zhipai deadline``."""
        deadlines = [{key: value for key, value in one.as_dict().items() if key != "days"} for one in self.deadlines]
        return {
            "ruling_id": self.id,
            "gate": self.gate,
            "gate_text": GATES[self.gate],
            "as_of": self.as_of,
            "answer": self.answer,
            "answer_text": ANSWERS[self.answer],
            "decided_by": list(self.decided_by),
            "undetermined": self.undetermined,
            "undetermined_by": list(self.undetermined_by),
            "disposition": asdict(self.disposition) if self.disposition else None,
            "counterfactual": self.counterfactual.as_dict(),
            "missing": [one.as_dict() for one in self.missing],
            "unset": [asdict(one) | {"rules": list(one.rules)} for one in self.unset],
            "checklist": [asdict(one) | {"rules": list(one.rules)} for one in self.checklist],
            "verdicts": [one.as_dict() for one in self.verdicts],
            "deadlines": deadlines,
            "facts": dict(self.facts),
            "derived": list(self.derived),
            "engine": self.engine,
            "disagreements": list(self.disagreements),
            "snapshot": {"rules": self.pack_id, "calendar": self.calendar_id},
        }


def rule_on(
    rules: RuleEngine | RulePack,
    gate: str,
    facts: Mapping[str, object],
    *,
    as_of: datetime,
    calendar: WorkCalendar,
    all_rules: bool = False,
) -> Ruling:
    """Rule on one gate.

    Parameters
    ----------
    rules : RuleEngine or RulePack
        An engine answers with its cross-check; a pack is evaluated by the reference evaluator alone.
    facts : mapping
        By name; absent or None is missing. Instants (``dispatched_at`` …) give the facts reckoned from them.
    as_of : datetime
        The instant at which rules and limits are read. Aware.
    all_rules : bool
        Also list the rules that passed.

    Raises
    ------
    ZhipaiError
        E3201, E3204 for ``as_of`` and ``gate``; E3202, E3203 for facts that do not fit the dictionary.
    """
    pack = rules if isinstance(rules, RulePack) else rules.pack
    dictionary = fact_dictionary()
    in_force = rules_in_force(pack, as_of=as_of, gate=gate)
    given = dictionary.check(facts)
    with_times, reasons = time_facts(pack, given, as_of=as_of, calendar=calendar)
    reads = {name for rule in in_force for name in rule.reads}
    checked = {name: value for name, value in dictionary.check(with_times).items() if name in given or name in reads}
    if isinstance(rules, RulePack):
        evaluation = Evaluation(evaluate(pack, checked, as_of=as_of, gate=gate, reasons=reasons), "python")
    else:
        evaluation = rules.evaluate(checked, as_of=as_of, gate=gate, reasons=reasons)
    verdicts, disputed = evaluation.verdicts, evaluation.disagreements
    agreed = {one.rule_id: one.state for one in verdicts if one.rule_id not in disputed}
    answers = {one.rule_id: answer_of(one) for one in verdicts}
    answer, decided_by = decide(answers, agreed)
    if disputed and strongest((answer, "escalated")) == "escalated":
        answer, decided_by = "escalated", (*(decided_by if answer == "escalated" else ()), *disputed)
    waiting = [one for one in verdicts if one.state == "not_evaluated"]
    return Ruling(
        gate=gate,
        as_of=as_of.isoformat(),
        answer=answer,
        decided_by=decided_by,
        undetermined_by=open_rules(answers, agreed, answer),
        disposition=_disposition(verdicts, decided_by, disputed),
        verdicts=tuple(one for one in verdicts if all_rules or one.state != "pass"),
        missing=missing_facts(waiting, answer, reasons),
        unset=unset_values(pack, waiting, reasons),
        checklist=checklist(verdicts, checked),
        counterfactual=_disputed() if disputed else find_counterfactual(in_force, checked),
        deadlines=_deadlines(pack, checked, as_of=as_of, calendar=calendar),
        facts=checked,
        derived=tuple(name for name in checked if name not in given),
        engine=evaluation.engine,
        disagreements=disputed,
        pack_id=pack.id,
        calendar_id=calendar.id,
    )


def _disposition(verdicts: Sequence[Verdict], decided_by: Sequence[str], disputed: Sequence[str]) -> Disposition | None:
    """What the deciding rules say to do and to tell, each thing once, in their order."""
    if not decided_by:
        return None
    said = [one.disposition for one in verdicts if one.rule_id in decided_by and one.rule_id not in disputed]
    actions = [one.action for one in said if one is not None]
    tells = [one.tell for one in said if one is not None]
    differing = [rule_id for rule_id in decided_by if rule_id in disputed]
    if differing:
        actions.append(f"两个规则引擎对 {'、'.join(differing)} 的判断不一致，请人工判断，并报告规则员")
    return Disposition(_joined(actions), _joined(tells))


def _joined(texts: Sequence[str]) -> str:
    """Sentences in one, each once; a single one stays as it was written."""
    parts = list(dict.fromkeys(text for text in texts if text))
    return parts[0] if len(parts) == 1 else "；".join(part.rstrip("。；") for part in parts)


def _deadlines(
    pack: RulePack, facts: Mapping[str, Value], *, as_of: datetime, calendar: WorkCalendar
) -> tuple[Deadline, ...]:
    """The deadlines of the order, where the instant of its dispatch is known."""
    if START not in facts:
        return ()
    return compute_deadlines(
        pack,
        kind=str(facts.get("kind", "")),
        urgency=str(facts.get("urgency", "一般")),
        start=datetime.fromisoformat(str(facts[START])),
        as_of=as_of,
        calendar=calendar,
        facts=facts,
    )


def _disputed() -> Counterfactual:
    return Counterfactual("none_found", "两个规则引擎的判断不一致，先由人判断，没有推算怎样才会改变结论。")
