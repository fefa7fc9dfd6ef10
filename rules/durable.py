"""durable_rules behind a guard that keeps it away from its measured traps.

``durable_rules_engine`` is the C core without its ``Host``, whose timer threads can run rules on their own. The guard:
one session for each shard, made once and never per request; one lock; ``assert_fact`` then ``retract_fact``; a warm-up,
without which ``delete_state`` frees memory it never filled; a sentinel rule in every shard, whose silence means that the
engine did not answer; and after any exception everything is thrown away and built again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from rules.fact_dictionary import Facts, Value
from rules.lowering import FACT_ID, MARKER, SENTINEL, Lowered, lower
from rules.pack import RulePack
from rules.vocabulary import GATES, State

try:
    import durable_rules_engine as _core
except ImportError:  # no C compiler at installation: the reference evaluator serves
    _core = None

_FACT = json.dumps(FACT_ID)
_WARM_UP = json.dumps(MARKER | FACT_ID)
_FAMILIES: dict[str, State] = {"h": "hit", "p": "pass"}


#: The values of the parameters of a pack on a day, and what a compiled pack is kept under.
Values = tuple[tuple[str, Value], ...]
Key = tuple[str, Values]


class EngineFault(RuntimeError):
    """The engine did not answer, or answered nonsense. Never shown to people: the reference evaluator answers."""


def available() -> bool:
    """Whether durable_rules is installed."""
    return _core is not None


class DurableRules:
    """The rules of one gate, compiled at the first call and again after a fault."""

    def __init__(self, lowered: Lowered, name: str):
        self._lowered, self._name = lowered, name
        self._handles: list[int] = []

    def _build(self) -> None:
        for number, definition in enumerate(self._lowered.shards):
            handle = _core.create_ruleset(f"{self._name}.{number}", definition)
            self._handles.append(handle)
            if SENTINEL not in self._post(handle, _WARM_UP):
                raise EngineFault("the sentinel rule did not fire")

    def _post(self, handle: int, fact: str) -> list[str]:
        """The names of the sub-rules that fire on one fact, which is gone again afterwards."""
        fired: list[str] = []
        status, offset = _core.assert_fact(handle, fact)
        action: Any = _core.start_action_for_state(handle, offset) if status == 0 else None
        message = action[1] if action else None
        while message:
            fired.append(message[2 : message.index('"', 2)])
            message = _core.complete_and_start_action(handle, offset)
        _core.retract_fact(handle, _FACT)
        return fired

    def states(self, facts: Facts) -> dict[str, State]:
        """Rule id → state, in the order of the rules. Not thread-safe; :class:`DurablePack` holds the lock.

        Raises
        ------
        EngineFault
            If the engine failed; it has been built again.
        """
        fact = self._lowered.fact_json(facts)
        states: dict[int, State] = {}
        try:
            if not self._handles:
                self._build()
            for handle in self._handles:
                fired = self._post(handle, fact)
                if SENTINEL not in fired:
                    raise EngineFault("the sentinel rule did not fire")
                for name in fired:
                    if name != SENTINEL:
                        self._note(name, states)
        except BaseException as error:
            self.drop()
            if isinstance(error, Exception) and not isinstance(error, EngineFault):
                raise EngineFault(type(error).__name__) from error
            raise
        ids = self._lowered.rule_ids
        return {rule_id: states.get(number, "not_evaluated") for number, rule_id in enumerate(ids)}

    @staticmethod
    def _note(name: str, states: dict[int, State]) -> None:
        number, family, _ = name.split("|")
        state = _FAMILIES[family]
        if states.setdefault(int(number), state) != state:
            raise EngineFault("a rule and its opposite both fired")

    def drop(self) -> None:
        """Free the native memory. A ruleset that is only forgotten leaks megabytes."""
        handles, self._handles = self._handles, []
        for handle in handles:
            # The state of a shard that has just failed may be gone already; its ruleset still has to go.
            with suppress(_core.error):
                _core.delete_state(handle, FACT_ID["sid"])
            _core.delete_ruleset(handle)


class DurablePack:
    """A pack compiled for the online engine with one set of values of its parameters.

    One set of shards for each gate, one lock for all.
    """

    def __init__(self, pack: RulePack, values: Values):
        self.key: Key = (pack.content_hash, values)
        self._lock = threading.Lock()
        self._gates: dict[str, DurableRules] = {}
        name = hashlib.sha256(repr(self.key).encode()).hexdigest()[:16]
        for gate in GATES:
            rules = [rule.resolved(dict(values)) for rule in pack.rules if rule.gate == gate]
            if rules:
                self._gates[gate] = DurableRules(lower(rules), f"{name}.{gate}")

    def states(self, facts: Facts, *, gate: str | None = None) -> dict[str, State]:
        """Rule id → state for the rules of the gate (or of all), in force or not.

        Raises
        ------
        EngineFault
            If the engine failed; the next call starts it anew.
        """
        found: dict[str, State] = {}
        with self._lock:
            for name, rules in self._gates.items():
                if gate in (None, name):
                    found |= rules.states(facts)
        return found

    def drop(self) -> None:
        """Free the native memory; a later call would build it again."""
        with self._lock:
            for rules in self._gates.values():
                rules.drop()


class _Cache:
    """Compiled packs by content hash and values. One in use is never dropped; of the others the last few are kept."""

    #: The compiled pack of a city takes tens of megabytes, and far less than a second to compile again.
    IDLE = 2

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packs: OrderedDict[Key, tuple[DurablePack, int]] = OrderedDict()

    def acquire(self, pack: RulePack, values: Values) -> DurablePack:
        with self._lock:
            key = (pack.content_hash, values)
            compiled, users = self._packs.get(key, (None, 0))
            if compiled is None:
                compiled = DurablePack(pack, values)
            self._packs[key] = (compiled, users + 1)
            self._packs.move_to_end(key)
            return compiled

    def release(self, compiled: DurablePack) -> None:
        with self._lock:
            _, users = self._packs[compiled.key]
            self._packs[compiled.key] = (compiled, users - 1)
            idle = [key for key, (_, count) in self._packs.items() if count == 0]
            for key in idle[: max(0, len(idle) - self.IDLE)]:
                self._packs.pop(key)[0].drop()


_CACHE = _Cache()


def acquire(pack: RulePack, values: Values = ()) -> DurablePack:
    """The compiled pack, built at most once; every ``acquire`` needs its :func:`release`.

    ``values`` are those of the pack's parameters on the day (:attr:`rules.pack.InForce.values`).
    """
    return _CACHE.acquire(pack, values)


def release(compiled: DurablePack) -> None:
    """Say that one user of the pack is done."""
    _CACHE.release(compiled)
