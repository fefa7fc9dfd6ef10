"""rules: dated, cited rules (规则包), their meaning, their engines, and deadlines on the working-time calendar.

A rule's meaning is the reference evaluator (:mod:`rules.evaluate`); the online engine is checked against it on every
call. Rules judge facts, facts are derived in one place (:mod:`rules.derive`), and nothing here reads a clock.
"""

from rules.calendar import CalendarSettings, WorkCalendar
from rules.clause import Clause
from rules.deadlines import Deadline, compute_deadlines, is_overdue
from rules.derive import derive_facts, derive_return_facts
from rules.engine import Evaluation, RuleEngine
from rules.evaluate import evaluate
from rules.pack import RulePack, load_pack
from rules.times import time_facts
from rules.verdict import Disposition, Verdict

__all__ = [
    "CalendarSettings",
    "Clause",
    "Deadline",
    "Disposition",
    "Evaluation",
    "RuleEngine",
    "RulePack",
    "Verdict",
    "WorkCalendar",
    "compute_deadlines",
    "derive_facts",
    "derive_return_facts",
    "evaluate",
    "is_overdue",
    "load_pack",
    "time_facts",
]
