"""标注: one order after the other, the most useful first. The suggestion stays hidden until somebody asks for it."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import Response

from service import order_queue
from service.access import Actor
from service.access.grants import require
from service.api.auth import named, needs
from service.db.engine import reading
from service.label_desk import Labelling, Offer, Vectors, answers, label_counts, offers, record_label
from service.labels import write_answers
from service.pages.highlight import segments
from service.pages.models import tabs
from service.pages.render import fragment, page
from service.pages.rules import moment, runtime
from service.version import VERSION

router = APIRouter(include_in_schema=False)
Labeller = Annotated[Actor, Depends(needs("model.label"))]
OrderId = Annotated[str, Path(max_length=64)]
Short = Annotated[str, Form(max_length=200)]
#: Units that stand under the keys 1 to 5.
CHOICES = 5
SOFTWARE = f"zhipai {VERSION}"


@router.get("/models/labels")
def labels(request: Request, actor: Labeller, order: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The list by usefulness and the first order, or the one that was asked for."""
    state = runtime(request)
    units = sorted(unit.name for unit in state.snapshot.directory.in_force(moment(request)))
    shown = _desk(request, actor, order)
    return page(request, "models/labels.html", tabs=tabs(actor), units=units, **shown)


@router.get("/models/labels.csv")
def export(request: Request, actor: Labeller) -> Response:
    """Every answer, in the columns that ``zhipai labels import`` writes: ready to be trained on."""
    with tempfile.TemporaryDirectory(prefix="zhipai-labels-") as folder:
        path = FilePath(folder) / "labels.csv"
        write_answers(answers(runtime(request).engine), path)
        content = path.read_bytes()
    return Response(
        content, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="labels.csv"'}
    )


@router.get("/models/labels/{order_id:path}/suggestion")
def suggestion(request: Request, actor: Labeller, order_id: OrderId) -> Response:
    """What the model would say, because somebody asked."""
    proposal = _proposal(request, actor, order_id)
    return fragment(request, "models/suggestion.html", units=proposal["units"][:CHOICES])


@router.post("/models/labels/{order_id:path}")
def label(
    request: Request,
    actor: Labeller,
    order_id: OrderId,
    key: Annotated[str, Form(min_length=8, max_length=200)],
    unit: Short = "",
    other: Short = "",
    peeked: Annotated[str, Form(max_length=3)] = "",
    skip: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """One answer or a skip; the next order comes back."""
    state = runtime(request)
    _proposal(request, actor, order_id)
    record_label(
        state.engine,
        Labelling(
            order_id,
            "" if skip else (other.strip() or unit),
            named(actor, actor.name),
            actor.role_for("model.label"),
            bool(peeked),
            key,
        ),
        directory=state.snapshot.directory,
        software=SOFTWARE,
        request_id=request.state.request_id,
        at=moment(request),
    )
    return fragment(request, "models/desk.html", **_desk(request, actor, ""))


def _proposal(request: Request, actor: Actor, order_id: str) -> dict[str, Any]:
    """The proposal of an order of the queue; E7950, and E6521 for one outside of what the actor may see."""
    with reading(runtime(request).engine) as connection:
        row = order_queue.require_row(connection, order_id)
        if row.district or row.unit:
            require(actor, "model.label", unit=row.unit or None, district=row.district or None)
        return order_queue.shown_proposal(connection, row)


def _desk(request: Request, actor: Actor, wanted: str) -> dict[str, Any]:
    """What ``desk.html`` reads: the list, and one order with five units in an order that tells nothing."""
    state = runtime(request)
    found = offers(state.engine, _vectors(request), state.snapshot.encoder, scope=actor.scope)
    chosen = next((one for one in found if one.row.order_id == wanted), found[0] if found else None)
    return {
        "offers": found,
        "chosen": chosen,
        "counts": label_counts(state.engine),
        "key": uuid.uuid4().hex,
        **(_order(request, actor, chosen) if chosen else {}),
    }


def _order(request: Request, actor: Actor, chosen: Offer) -> dict[str, Any]:
    proposal = _proposal(request, actor, chosen.row.order_id)
    # By name, not by probability: the order of the choices must not tell what the model thinks.
    units = sorted(unit["unit"] for unit in proposal["units"][:CHOICES])
    return {
        "order": proposal["order"],
        "text": segments(proposal["order"]["text"], proposal["elements"]),
        "choices": units,
    }


def _vectors(request: Request) -> Vectors:
    """The directions that this process keeps."""
    state = request.app.state
    if not hasattr(state, "label_vectors"):
        state.label_vectors = Vectors()
    kept: Vectors = state.label_vectors
    return kept
