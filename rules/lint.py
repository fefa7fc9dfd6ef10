"""Everything that is wrong with a pack, or looks wrong, in one list with places; ``zhipai rules lint`` shows it."""

from __future__ import annotations

from pathlib import Path

from rules.fact_dictionary import fact_dictionary
from rules.lint_rules import lint_rules
from rules.lint_sources import lint_sources
from rules.lint_tests import lint_tests
from rules.pack import read_pack
from rules.problems import Finding
from rules.run_tests import read_tests

__all__ = ["Finding", "lint"]


def lint(path: str | Path, *, root: Path | None = None, overrides: Path | None = None) -> tuple[Finding, ...]:
    """Check one pack by name or folder, with the user's own values where there is a file of them.

    Returns
    -------
    tuple of Finding
        By file and line. An ``error`` has to be mended before the pack is used; a ``warning`` is worth a look.
    """
    pack, problems = read_pack(path, root=root, overrides=overrides)
    if pack is not None:
        tests = read_tests(pack, problems)
        problems.extend(lint_rules(pack, fact_dictionary()))
        problems.extend(lint_sources(pack, tests))
        problems.extend(lint_tests(pack, tests))
    return tuple(problem.finding() for problem in sorted(problems, key=lambda problem: (problem.mark, problem.code)))
