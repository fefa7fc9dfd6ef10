"""A process that runs durable_rules, so that a native crash ends it and not the tests. Talks pickles over its pipes."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rules.durable import DurableRules
from rules.lowering import lower


def main() -> None:
    """For each (rules, facts, …) received, send the states of the rules for each facts."""
    while True:
        try:
            rules, many_facts = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        compiled = DurableRules(lower(rules), "fuzz")
        answer = [compiled.states(facts) for facts in many_facts]
        compiled.drop()
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
