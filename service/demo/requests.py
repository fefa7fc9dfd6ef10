"""What units do with an order: reply, or ask to return it, for more time, not to be assessed on it, to put it aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.cases import Ask, Material, submit
from service.cases_facts import standing_of
from service.cases_read import add_reply
from service.cases_review import Choice, Review, review
from service.db.engine import reading
from service.demo import words
from service.demo.material import Filing
from service.demo.world import REQUEST, SOFTWARE, World

#: How often the right unit tries to return an order, and how often a unit asks for the others.
TRIES_RETURN, EXTENDS, EXCLUDES, SUSPENDS = 0.015, 0.04, 0.015, 0.012
REPLIES = 0.6
#: How often a request is not looked at before the month ends, and how often one that may be granted is.
UNSEEN, GRANTS = 0.08, 0.75


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a unit writes and states in one kind of request."""

    kind: str
    reason: str
    facts: dict[str, object]
    materials: tuple[Material, ...] = ()


_FORM = Material("申请表（盖章）.pdf", kind="material_application_form")
_STATEMENT = Material("情况说明.pdf", kind="material_statement")
_CONTACT = Material("联系记录.pdf", kind="material_contact_record")
_SCENE = Material("现场照片与工作方案.zip", kind="material_scene_evidence")
_EXTENSION = _Kind(
    "extension",
    words.EXTENSION,
    {
        "extension_workdays": 5,
        "extension_basis_given": True,
        "extension_told_caller": True,
        "objective_constraint": True,
    },
    (_FORM, _STATEMENT),
)
_EXCLUSION = _Kind(
    "exclusion",
    words.EXCLUSION,
    {"conclusion_document_given": True, "contacted_caller": True, "contact_attempts": 3},
    (_FORM, _CONTACT),
)
_SUSPENSION = _Kind(
    "suspension",
    words.SUSPENSION,
    {
        "objective_constraint": True,
        "plan_told": True,
        "planned_completion_given": True,
        "release_condition_given": True,
    },
    (_FORM, _STATEMENT, _SCENE),
)


def follow(world: World, filing: Filing, unit: str, at: datetime, *, again: Callable[[datetime], None]) -> None:
    """Plan what the unit does with an order that came to it. ``again``: the desk looks at it once more."""
    if unit != filing.truth:
        text = words.RETURN_WRONG.format(unit=filing.truth)
        wrong = _Kind("return", text, {"clearly_outside_duty": True, "duty_basis_given": True})
        world.plan(
            world.office(at, 2, 20),
            lambda then: _ask(world, filing, unit, wrong, then, grants=1.0, suggested=filing.truth, again=again),
        )
        return
    if world.draw.random() < TRIES_RETURN:
        right = _Kind("return", words.RETURN_RIGHT, {})
        world.plan(world.office(at, 2, 12), lambda then: _ask(world, filing, unit, right, then, grants=0.0))
    elif world.draw.random() < EXTENDS:
        world.plan(world.office(at, 60, 150), lambda then: _ask(world, filing, unit, _EXTENSION, then))
    elif world.draw.random() < EXCLUDES:
        world.plan(world.office(at, 90, 200), lambda then: _ask(world, filing, unit, _EXCLUSION, then))
    elif world.draw.random() < SUSPENDS:
        world.plan(world.office(at, 60, 150), lambda then: _ask(world, filing, unit, _SUSPENSION, then))
    if world.draw.random() < REPLIES:
        world.plan(world.office(at, 12, 120), lambda then: _reply(world, filing, unit, then))


def ask_last(world: World, filings: Sequence[Filing], at: datetime) -> None:
    """Of each kind one request that waits for its review, about the orders that are with a unit since last."""
    kinds = iter((_Kind("return", words.RETURN_RIGHT, {}), _EXTENSION, _EXCLUSION, _SUSPENSION))
    kind = next(kinds, None)
    for filing in reversed(filings):
        if kind is not None and _with(world, filing, filing.truth):
            _ask(world, filing, filing.truth, kind, at, unseen=1.0)
            kind = next(kinds, None)


def _with(world: World, filing: Filing, unit: str) -> bool:
    """Whether the order is still with the unit."""
    with reading(world.engine) as connection:
        standing = standing_of(connection, filing.order.order_id)
    return standing is not None and standing.unit == unit


def _ask(
    world: World,
    filing: Filing,
    unit: str,
    kind: _Kind,
    at: datetime,
    *,
    grants: float = GRANTS,
    unseen: float = UNSEEN,
    suggested: str = "",
    again: Callable[[datetime], None] | None = None,
) -> None:
    if not _with(world, filing, unit):
        return
    asked = Ask(
        filing.order.order_id,
        kind.kind,
        kind.reason,
        f"{unit}经办人",
        world.key(),
        kind.facts,
        kind.materials,
        suggested,
    )
    snapshot = world.snapshot
    case_id, _ = submit(world.engine, asked, snapshot.rules, snapshot.calendar, directory=snapshot.directory, at=at)
    world.done[f"case_{kind.kind}"] += 1
    if world.draw.random() >= unseen:
        choice: Choice = "accept" if world.draw.random() < grants else "refuse"
        world.plan(
            world.office(at, 1, 9), lambda then: _review(world, filing, unit, case_id, kind.kind, choice, then, again)
        )


def _review(
    world: World,
    filing: Filing,
    unit: str,
    case_id: str,
    kind: str,
    choice: Choice,
    at: datetime,
    again: Callable[[datetime], None] | None,
) -> None:
    if choice == "accept" and not _with(world, filing, unit):
        choice = "refuse"
    reason = words.GRANTED[kind] if choice == "accept" else words.DENIED[kind]
    review(
        world.engine,
        Review(case_id, choice, reason, words.LEAD, "shift_lead", world.key()),
        rules=world.snapshot.rules,
        calendar=world.snapshot.calendar,
        software=SOFTWARE,
        request_id=REQUEST,
        at=at,
    )
    world.done[f"case_{'accepted' if choice == 'accept' else 'refused'}"] += 1
    if choice == "accept" and kind == "return" and again is not None:
        world.plan(world.soon(at, 10, 180), again)


def _reply(world: World, filing: Filing, unit: str, at: datetime) -> None:
    if _with(world, filing, unit):
        text = world.draw.choice(words.REPLIES)
        add_reply(world.engine, filing.order.order_id, text, actor=f"{unit}经办人", at=at)
        world.done["reply"] += 1
