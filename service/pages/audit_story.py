"""One decision as a story, and the same computed again."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from service import clock
from service.access import Actor
from service.access.grants import require
from service.api.auth import needs
from service.api.replay_routes import ONE, replay_decision
from service.audit_story import Story, read_story
from service.pages import audit_view as words
from service.pages.audit import runtime
from service.pages.order_view import order_view
from service.pages.render import fragment, page
from service.replay import subject_of_decision
from service.replay_parts import Finder
from service.silent_rules import silent_rules

router = APIRouter(include_in_schema=False)
Reader = Annotated[Actor, Depends(needs("audit.read"))]
Replayer = Annotated[Actor, Depends(needs("audit.replay"))]
#: Fields that the page asks for and that not every kind of record has.
TOLD = ("order_id", "actor", "unit", "action", "reason", "disposition", "as_of", "software", "request_id")
DecisionId = Annotated[str, Path(max_length=64)]


@router.get("/audit/{decision_id}")
def story(request: Request, who: Reader, decision_id: DecisionId) -> Response:
    """Input, proposal, rules, choice, and where the record stands in the tree."""
    state = runtime(request)
    found = read_story(state.engine, state.settings, decision_id)
    _within(who, "audit.read", found)
    record, proposal = found.record, found.proposal
    # An early record may hold a proposal without the parts that a person reads.
    whole = proposal if proposal is not None and "elements" in proposal else None
    return page(
        request,
        "audit/story.html",
        tab="log",
        story=found,
        record=dict.fromkeys(TOLD, "") | record,
        kind=words.kind_of(record["kind"]),
        role=words.role_of(record),
        sentence=words.sentence(record),
        facts=words.facts(record),
        view=order_view(whole, state.snapshot.knowledge) if whole else None,
        hits=words.verdicts(whole["verdicts"], "hit") if whole else [],
        unjudged=words.verdicts(whole["verdicts"], "not_evaluated") if whole else [],
        silent=words.verdicts(whole["verdicts"], "pass") if whole else [],
        others=[words.line(row) for row in found.others],
        snapshot=[(words.SNAPSHOT.get(name, name), value) for name, value in (record.get("snapshot") or {}).items()],
        pretty=json.dumps(record, ensure_ascii=False, indent=2),
        may_replay=bool(whole) and who.may("audit.replay").allowed,
    )


@router.get("/audit/{decision_id}/rules")
def silent(request: Request, who: Replayer, decision_id: DecisionId) -> Response:
    """The rules that did not hit, judged once more under the rules of that day."""
    state = runtime(request)
    _within(who, "audit.replay", read_story(state.engine, state.settings, decision_id))
    subject = subject_of_decision(state.engine, decision_id)
    with ONE:
        found = silent_rules(subject, Finder(state.settings, state.engine, state.snapshot.encoder, state.snapshot))
    return fragment(request, "audit/silent.html", silent=words.verdicts(found, "pass"))


@router.get("/audit/{decision_id}/replay")
def replay(request: Request, who: Replayer, decision_id: DecisionId) -> Response:
    """Identical, or what differs and why."""
    state = runtime(request)
    _within(who, "audit.replay", read_story(state.engine, state.settings, decision_id))
    found = replay_decision(request, decision_id, as_of=None, today=False)
    return fragment(
        request,
        "audit/replay.html",
        found=found,
        differences=words.differences(found["differences"]),
        parts=words.SNAPSHOT_PARTS,
        at=clock.now(state.settings.time_zone),
    )


@router.get("/audit/{decision_id}/today")
def today(request: Request, who: Replayer, decision_id: DecisionId) -> Response:
    """What would be proposed today."""
    state = runtime(request)
    _within(who, "audit.replay", read_story(state.engine, state.settings, decision_id))
    found = replay_decision(request, decision_id, as_of=None, today=True)
    changed = [words.SNAPSHOT.get(name, name) for name in found["changed_snapshot"]]
    return fragment(request, "audit/today.html", found=found, changed=changed, rows=words.changed(found["changes"]))


def _within(who: Actor, action: str, found: Story) -> None:
    """E6521 for a record outside of what somebody may see."""
    if not who.scope.all:
        require(who, action, unit=found.record.get("unit") or "")
