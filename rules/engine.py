"""The rule engine as the service uses it: durable_rules online, every answer checked against the reference evaluator."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cachetools import LRUCache

from rules import durable
from rules.evaluate import NO_REASONS, judge, rules_in_force, state_of, verdict_of
from rules.fact_dictionary import Facts, fact_dictionary
from rules.pack import RulePack
from rules.verdict import Verdict
from rules.vocabulary import State

Kind = Literal["durable", "python"]
_log = logging.getLogger(__name__)
#: Sets of facts whose verdicts are kept; each takes a few kilobytes.
REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdicts of one call.

    Parameters
    ----------
    engine : {"durable", "python"}
        Who answered: ``durable`` means that both engines did and were compared.
    disagreements : tuple of str
        Ids of the rules on which the engines differed. The verdicts are the reference evaluator's; a person must look.
    """

    verdicts: tuple[Verdict, ...]
    engine: Kind
    disagreements: tuple[str, ...] = ()


class RuleEngine:
    """Evaluates one pack. Safe to share between threads; :meth:`close` it when it is replaced.

    Parameters
    ----------
    kind : {"durable", "python"}
        ``durable`` becomes ``python`` where durable_rules is not installed; ``self.kind`` says which it is. No verdict
        depends on it.

    Attributes
    ----------
    disagreement_count : int
        Calls on which the engines differed.
    fault_count : int
        Calls on which durable_rules failed and the reference evaluator answered alone.
    """

    def __init__(self, pack: RulePack, *, kind: Kind = "durable"):
        self.pack = pack
        self.kind: Kind = kind if kind == "python" or durable.available() else "python"
        self.disagreement_count = 0
        self.fault_count = 0
        self._lock = threading.Lock()
        self._remembered: LRUCache[tuple[object, ...], tuple[Verdict, ...]] = LRUCache(REMEMBERED)
        newest = pack.in_force(pack.newest_day).values
        self._compiled = durable.acquire(pack, newest) if self.kind == "durable" else None
        self._release = weakref.finalize(self, durable.release, self._compiled) if self._compiled else None
        # Compile now rather than under the first caller; a pack that durable_rules cannot take is left to the reference.
        if self._compiled is not None and self._second_opinion({}, None, newest) is None:
            self.kind = "python"
            self.close()

    def evaluate(
        self,
        facts: Mapping[str, object],
        *,
        as_of: datetime,
        gate: str | None = None,
        reasons: Mapping[str, str] = NO_REASONS,
        passed: bool = True,
    ) -> Evaluation:
        """Like :func:`rules.evaluate.evaluate`, with the same errors, by two engines.

        ``passed=False`` leaves the rules that pass, which are most, out of the verdicts; they are compared all the same.
        """
        dictionary = fact_dictionary()
        checked = dictionary.check(facts)
        rules = rules_in_force(self.pack, as_of=as_of, gate=gate)
        steps = [judge(rule.when, checked, brief=True) for rule in rules]
        verdicts = tuple(
            verdict_of(rule, step, checked, pack=self.pack, dictionary=dictionary, reasons=reasons)
            for rule, step in zip(rules, steps, strict=True)
            if passed or step.outcome is not False
        )
        other = self._second_opinion(checked, gate, self.pack.in_force(as_of.astimezone(self.pack.zone).date()).values)
        if other is None:
            return Evaluation(verdicts, "python")
        differing = tuple(
            rule.id for rule, step in zip(rules, steps, strict=True) if other.get(rule.id) != state_of(step)
        )
        if differing:
            with self._lock:
                self.disagreement_count += 1
            _log.error("rule engines disagree: pack %s, rules %s", self.pack.id, ", ".join(differing))
        return Evaluation(verdicts, "durable", differing)

    def verdicts(
        self, facts: Mapping[str, object], *, as_of: datetime, gate: str, passed: bool = True
    ) -> tuple[Verdict, ...]:
        """The verdicts of :meth:`evaluate`, with the same errors, from memory where the same was judged before.

        Verdicts depend on the rules of the day and on the facts that these read, and few orders differ in those: 600 real
        orders have 79 different sets of them at the gate 受理 and 44 at 派单 (pack ``weifang``). What both engines agreed
        on is not asked again; where they differed, or one failed, it is asked every time.
        """
        checked = fact_dictionary().check(facts)
        rules_in_force(self.pack, as_of=as_of, gate=gate)
        day = self.pack.in_force(as_of.astimezone(self.pack.zone).date())
        # The pack keeps what it resolved for a stretch of days, so its identity stands for the rules.
        key = (id(day), gate, passed, tuple(checked.get(name) for name in day.reads(gate)))
        with self._lock:
            found = self._remembered.get(key)
        if found is None:
            said = self.evaluate(facts, as_of=as_of, gate=gate, passed=passed)
            found = said.verdicts
            if said.engine == self.kind and not said.disagreements:
                with self._lock:
                    self._remembered[key] = found
        return found

    def _second_opinion(self, facts: Facts, gate: str | None, values: durable.Values) -> dict[str, State] | None:
        """What durable_rules says with these values of the parameters, or None where it does not serve or failed."""
        held = self._compiled
        if held is None:
            return None
        # Another day may have other values: those are compiled besides, and kept a while after the call.
        compiled = held if held.key[1] == values else durable.acquire(self.pack, values)
        try:
            return compiled.states(facts, gate=gate)
        except durable.EngineFault:
            with self._lock:
                self.fault_count += 1
            _log.exception("durable_rules failed and was restarted: pack %s", self.pack.id)
            return None
        finally:
            if compiled is not held:
                durable.release(compiled)

    def close(self) -> None:
        """Free the online engine. Calls that come later are answered by the reference evaluator alone."""
        self._compiled = None
        if self._release is not None:
            self._release()
