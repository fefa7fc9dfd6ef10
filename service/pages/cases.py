"""退单、延期、不纳入考核、挂账审核: the request of a unit beside what the rules say, and the decision."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from rules.answer import ANSWERS
from service.access import Actor
from service.api.auth import named, needs
from service.api.case_routes import reviewed, visible_case
from service.cases import PENDING, STATUSES
from service.cases_effects import extended_due
from service.cases_facts import CASE_KINDS, standing_of, verified_facts
from service.cases_read import PAGE, CaseFilter, counts, list_cases, order_shown, replies_of
from service.cases_review import Review, ruling_with
from service.db.engine import reading
from service.pages.case_view import ANSWER_TONES, fact_fields, read_facts, ruling_view
from service.pages.form_fields import Fields, in_zone, new_key, part, word
from service.pages.forms import go_to
from service.pages.render import fragment, page
from service.runtime import Runtime
from service.snapshot import Snapshot

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Actor, Depends(needs("case.review"))]
CaseId = Annotated[str, Path(max_length=64)]
DONE = {"accepted": "已同意，记入决定日志。", "refused": "已记为不同意，单位可以看到理由。"}


@router.get("/cases")
def cases(
    request: Request,
    who: Reviewer,
    status: Annotated[str, Query(max_length=20)] = PENDING,
    kind: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=200)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Those that wait, the order that is due first on top; or those that were decided, the newest first."""
    status = status if status in STATUSES else PENDING
    asked = CaseFilter(status, kind if kind in CASE_KINDS else "", "", after)
    with reading(_runtime(request).engine) as connection:
        found = list_cases(connection, asked, scope=who.scope)
        waiting = counts(connection, scope=who.scope)
    return page(
        request,
        "cases/list.html",
        cases=found,
        local=in_zone(_runtime(request).settings.time_zone),
        asked=asked,
        kinds=CASE_KINDS,
        statuses=STATUSES,
        waiting=waiting,
        answers=ANSWERS,
        tones=ANSWER_TONES,
        more=found[-1].place if len(found) == PAGE else "",
        done=DONE.get(done, ""),
    )


@router.get("/cases/{case_id}")
def case(request: Request, who: Reviewer, case_id: CaseId) -> Response:
    """One request with the answer of the rules, what is missing, what would change it, and the deadlines."""
    state = _runtime(request)
    with reading(state.engine) as connection:
        found = visible_case(connection, who, case_id, action="case.review")
        snapshot = _snapshot(state, found)
        standing = standing_of(connection, found["order_id"])
        others = list_cases(connection, CaseFilter(status="", order_id=found["order_id"]), scope=who.scope)
        shown: dict[str, Any] = {
            "case": found,
            "order": order_shown(connection, found["order_id"]),
            "moved": standing is None or standing.unit != found["unit"],
            "new_due": extended_due(connection, found, snapshot.rules, snapshot.calendar),
            "others": [one for one in others if one.case_id != case_id],
            "replies": replies_of(connection, found["order_id"]),
        }
    record: dict[str, Any] = found["record"] or {}
    pack = snapshot.rules.pack
    asked_at = datetime.fromisoformat(found["asked_at"])
    return page(
        request,
        "cases/case.html",
        **shown,
        view=ruling_view(found["ruling"]),
        record=record,
        own=found["asked_by"] == who.name,
        kinds=CASE_KINDS,
        statuses=STATUSES,
        fields=fact_fields(verified_facts(pack, found["kind"], as_of=asked_at), found["facts"]),
        key=new_key(),
    )


@router.post("/cases/{case_id}/foresee")
def foresee(request: Request, who: Reviewer, case_id: CaseId, form: Fields) -> Response:
    """What the rules say with what the reviewer verified."""
    state = _runtime(request)
    with reading(state.engine) as connection:
        found = visible_case(connection, who, case_id, action="case.review")
    snapshot = _snapshot(state, found)
    ruling = ruling_with(found, _verified(form, found), snapshot.rules, snapshot.calendar)
    return fragment(request, "cases/ruling.html", view=ruling_view(ruling))


@router.post("/cases/{case_id}/decide")
def decide(request: Request, who: Reviewer, case_id: CaseId, form: Fields) -> Response:
    state = _runtime(request)
    with reading(state.engine) as connection:
        found = visible_case(connection, who, case_id, action="case.review")
    revision = word(form, "revision")
    asked = Review(
        case_id,
        "accept" if word(form, "choice") == "accept" else "refuse",
        word(form, "reason"),
        named(who, word(form, "actor")),
        who.role_for("case.review"),
        word(form, "key"),
        _verified(form, found),
        int(revision) if revision.isdigit() else None,
    )
    record = reviewed(request, who, asked).record
    return go_to(request, f"/cases?done={part(record['outcome'])}")


def _verified(form: FormData, found: dict[str, Any]) -> dict[str, object]:
    """What the reviewer filled in or changed; what stands as the unit said it is not his."""
    return {name: value for name, value in read_facts(form).items() if found["facts"].get(name) != value}


def _snapshot(state: Runtime, found: dict[str, Any]) -> Snapshot:
    return state.snapshot_at(datetime.fromisoformat(found["asked_at"]))


def _runtime(request: Request) -> Runtime:
    state: Runtime = request.app.state.runtime
    return state
