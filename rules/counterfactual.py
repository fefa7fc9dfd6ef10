"""What would have to be otherwise for a gate to answer otherwise: the smallest set of facts, found from the rules.

Every find of :mod:`rules.counterfactual_search` is evaluated anew over the whole gate before it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rules.answer import ANSWERS, Answer, decide, open_rules
from rules.counterfactual_search import Assignment, Search
from rules.evaluate import judge, state_of
from rules.fact_dictionary import Fact, FactDictionary, Facts, Value, fact_dictionary
from rules.rule import Rule
from rules.vocabulary import State
from rules.wording import said_value

#: The bound of the search: facts changed at once, and assignments evaluated.
MAX_CHANGES = 3
MAX_EVALUATIONS = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """One fact and the value it would have; None: not supplied.

    ``other_than`` is None where ``after`` is meant as it stands; else ``after`` stands for any value besides these
    literals of the rules (none of them: any value at all).
    """

    fact: str
    label: str
    before: Value | None
    after: Value | None
    other_than: tuple[Value, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        row = {"fact": self.fact, "label": self.label, "from": self.before, "to": self.after}
        return row if self.other_than is None else row | {"other_than": list(self.other_than)}


@dataclass(frozen=True, slots=True)
class Turn:
    """A rule whose state is another after the changes."""

    rule_id: str
    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest changes under which the answer turns, or that none was found.

    ``complete`` is False where the search stopped at :data:`MAX_EVALUATIONS`: what was found is smallest all the same, but
    another of that size might be told first. ``undetermined``: rules that could not be evaluated may turn the new answer again.
    """

    state: Literal["found", "none_found"]
    sentence: str
    changes: tuple[Change, ...] = ()
    answer: Answer | None = None
    decided_by: tuple[str, ...] = ()
    undetermined: bool = False
    turns: tuple[Turn, ...] = ()
    evaluations: int = 0
    complete: bool = True

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "sentence": self.sentence,
            "changes": [change.as_dict() for change in self.changes],
            "answer": self.answer,
            "answer_text": ANSWERS[self.answer] if self.answer else "",
            "decided_by": list(self.decided_by),
            "undetermined": self.undetermined,
            "turns": [{"rule_id": turn.rule_id, "from": turn.before, "to": turn.after} for turn in self.turns],
            "bound": {"changes": MAX_CHANGES, "evaluations": MAX_EVALUATIONS},
            "evaluations": self.evaluations,
            "complete": self.complete,
        }


def find_counterfactual(
    rules: Sequence[Rule],
    facts: Facts,
    *,
    dictionary: FactDictionary | None = None,
    max_changes: int = MAX_CHANGES,
    max_evaluations: int = MAX_EVALUATIONS,
) -> Counterfactual:
    """Find the smallest set of changed facts under which the gate answers otherwise.

    Parameters
    ----------
    rules : sequence of Rule
        The rules of one gate in force that day, as :func:`rules.evaluate.rules_in_force` gives them.
    facts : mapping
        Facts that the dictionary has checked.

    Notes
    -----
    Among sets of one size the first by this order: the request of the gate is not withdrawn (``return_requested`` …);
    facts that a person fills in before those of the record, the ranking and the words; supplied before missing; a new
    answer that is determined before one that is not; numbers before the rest; read by few rules before many; by name. Of
    the values of a fact the nearest. Instants are left alone: what is reckoned from them is a fact itself.
    """
    search = Search(rules, facts, dictionary or fact_dictionary(), max_evaluations)
    found = search.run(max_changes)
    if found is not None:
        return _tell(search, found)
    bound = f"最多改 {max_changes} 个事实" + (f"、求值 {max_evaluations} 次" if search.exhausted else "")
    sentence = f"在{bound}的范围内，没有找到能改变结论的改法。"
    return Counterfactual("none_found", sentence, evaluations=search.evaluations, complete=not search.exhausted)


def _tell(search: Search, found: Assignment) -> Counterfactual:
    """Evaluate the whole gate once more under the changes and say what comes out."""
    facts = search.facts_under(found)
    states: dict[str, State] = {rule.id: state_of(judge(rule.when, facts)) for rule in search.rules}
    answer, decided_by = decide(search.answers, states)
    changes = tuple(_change(search, name, value) for name, value in sorted(found, key=lambda one: search.order[one[0]]))
    turns = tuple(
        Turn(rule_id, before, states[rule_id]) for rule_id, before in search.states.items() if before != states[rule_id]
    )
    undetermined = bool(open_rules(search.answers, states, answer))
    return Counterfactual(
        state="found",
        sentence=_sentence(changes, search.dictionary, search.answer, answer, undetermined=undetermined),
        changes=changes,
        answer=answer,
        decided_by=decided_by,
        undetermined=undetermined,
        turns=turns,
        evaluations=search.evaluations,
        complete=not search.exhausted,
    )


def _change(search: Search, name: str, value: Value | None) -> Change:
    fact = search.dictionary.get(name)
    named = tuple(search.named(name))
    exact = value is None or isinstance(value, bool) or value in named or (named and not isinstance(value, str))
    label = fact.short_name if fact else name
    return Change(name, label, search.facts.get(name), value, None if exact else named)


def _sentence(
    changes: Sequence[Change], dictionary: FactDictionary, before: Answer, after: Answer, *, undetermined: bool
) -> str:
    said = "，并且".join(_clause(change, dictionary.get(change.fact)) for change in changes)
    open_end = "，但仍有规则因缺少事实而无法判断" if undetermined else ""
    return f"如果{said}，结论会由“{ANSWERS[before]}”变为“{ANSWERS[after]}”{open_end}。"


def _clause(change: Change, fact: Fact | None) -> str:
    """One change as a clause: “某事”由“否”改为“是”."""
    if change.after is None:
        return f"没有填写“{change.label}”"
    if change.other_than == ():
        return f"填写了“{change.label}”"
    after = said_value(change.after, fact)
    if change.other_than:
        named = "、".join(said_value(value, fact) for value in change.other_than[:5])
        after = f"{named}{'等' if len(change.other_than) > 5 else ''}以外的值"
    if change.before is None:
        return f"查明“{change.label}”为“{after}”"
    return f"“{change.label}”由“{said_value(change.before, fact)}”改为“{after}”"
