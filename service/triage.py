"""The triage use case: one pure function of an order, ``as_of`` and a snapshot.

The live call, the batch, the try-out screen and the replay all run :func:`propose`; there is no path around it. (A
backtest of rules asks no model: it runs the functions that turn text into facts and facts into verdicts.) It reads no clock, no database and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np

from intake.errors import ZhipaiError, register
from intake.order import WorkOrder, check_order
from intake.prepare import Prepared, prepare
from knowledge_base.answer import Question
from models.assist import is_mostly, propose_assist, split_matters
from models.fields import FIELDS
from models.ranking import Ranking
from models.scorer import Words
from rules import compute_deadlines
from rules.derive import UNIT_FACTS, order_facts, unit_facts
from rules.tracks import open_limits
from service.proposal import Proposal, proposal_id
from service.snapshot import Snapshot

register("E6101", "时刻缺时区", "as_of 没有时区。请写成 2026-05-01T09:30:00+08:00 这样带时区的时刻。")

TOP_UNITS = 5
TOP_ENTRIES = 5
#: An entry less likely than this to answer only costs the dispatcher a look. (The score is a probability, if a rough one.)
LEAST_ENTRY_SCORE = 0.03
#: Gates that a dispatcher's question opens; the others (return, extension …) need facts that do not exist yet.
TRIAGE_GATES = ("acceptance", "dispatch")
BATCH = 64
_ORDER_NAMES = tuple(one.name for one in fields(WorkOrder) if one.name not in ("unit", "group", "extra"))


def propose(order: WorkOrder, *, as_of: datetime, snapshot: Snapshot, all_verdicts: bool = False) -> Proposal:
    """Propose units, entries, verdicts and deadlines for one order.

    Parameters
    ----------
    order : WorkOrder
        As filed; the proposal holds its masked form only.
    as_of : datetime
        The instant at which rules, units and entries are read, and from which limits count. Aware.
    snapshot : Snapshot
        Rules, model, knowledge, directory and calendar.
    all_verdicts : bool
        Also list the rules that passed. By default only those that hit or could not be evaluated are listed.

    Raises
    ------
    ZhipaiError
        E1001–E1004 for an order that cannot be triaged, E6101 for an ``as_of`` without a zone.
    """
    return next(propose_many([order], as_of=as_of, snapshot=snapshot, all_verdicts=all_verdicts))


def propose_many(
    orders: Sequence[WorkOrder],
    *,
    as_of: datetime,
    snapshot: Snapshot,
    all_verdicts: bool = False,
    with_evidence: bool = True,
) -> Iterator[Proposal]:
    """Like :func:`propose` for many orders. A table has no room for evidence nor for joint units (``joint``):
    ``with_evidence=False`` leaves both out."""
    if as_of.tzinfo is None:
        raise ZhipaiError("E6101")

    options = _Options(as_of, snapshot, all_verdicts, with_evidence, _deadlines(as_of, snapshot))
    for start in range(0, len(orders), BATCH):
        part = orders[start : start + BATCH]
        prepared = [prepare(check_order(order), snapshot.gazetteer) for order in part]
        # A text of one matter has no parts.
        parts = [_parts(one.text) if with_evidence else [] for one in prepared]
        own = [
            text for one, some in zip(prepared, parts, strict=True) for text in some if not is_mostly(text, one.text)
        ]
        encoded, encoded_parts = (
            snapshot.encoder.begin(texts, kind="query") for texts in ([one.text for one in prepared], own)
        )
        drafts = [_draft(*given, options) for given in zip(part, prepared, parts, strict=True)]
        vectors, part_vectors = encoded(), iter(encoded_parts())
        for draft, vector in zip(drafts, vectors, strict=True):
            matters = [
                (matter, vector if is_mostly(matter.text, draft.prepared.text) else next(part_vectors))
                for matter in draft.matters
            ]
            yield _assemble(draft, vector, matters, options)


def _parts(text: str) -> list[str]:
    several = split_matters(text)
    return several if len(several) > 1 else []


@dataclass(frozen=True, slots=True)
class _Options:
    """What all orders of one call share."""

    as_of: datetime
    snapshot: Snapshot
    all_verdicts: bool
    with_evidence: bool
    deadlines: Callable[[Mapping[str, object]], list[dict[str, Any]]]


def _deadlines(as_of: datetime, snapshot: Snapshot) -> Callable[[Mapping[str, object]], list[dict[str, Any]]]:
    """Deadlines by the facts of an order, counted once for each kind and set of statutory tracks that are open.

    The day-by-day count is long; it is on request (``zhipai deadline``), not in every proposal.
    """
    pack = snapshot.rules.pack
    counted: dict[tuple[str, frozenset[str]], list[dict[str, Any]]] = {}

    def deadlines(facts: Mapping[str, object]) -> list[dict[str, Any]]:
        kind = str(facts.get("kind", ""))
        key = kind, open_limits(pack, facts)
        if key not in counted:
            found = compute_deadlines(
                pack, kind=kind, start=as_of, as_of=as_of, calendar=snapshot.calendar, facts=facts
            )
            counted[key] = [{name: value for name, value in one.as_dict().items() if name != "days"} for one in found]
        return counted[key]

    return deadlines


@dataclass(frozen=True, slots=True)
class _Matter:
    """A part of a text that holds several."""

    text: str
    words: Words


@dataclass(frozen=True, slots=True)
class _Draft:
    """What an order says while its text is still being encoded."""

    order: WorkOrder
    prepared: Prepared
    district: str
    street: str
    words: Words
    matters: list[_Matter]
    question: Question
    facts: dict[str, object]
    #: None where a limit depends on the proposed units.
    deadlines: list[dict[str, Any]] | None


def _draft(order: WorkOrder, prepared: Prepared, parts: Sequence[str], options: _Options) -> _Draft:
    as_of, snapshot = options.as_of, options.snapshot
    place = prepared.elements.place
    # Where the text names a place it is believed before the field: so was the model trained.
    district, street = place.district or order.district, place.street or order.street
    facts = order_facts(prepared, received_at=order.received_at or as_of)
    return _Draft(
        order,
        prepared,
        district,
        street,
        words=snapshot.ranker.words(prepared.text),
        matters=[_Matter(text, snapshot.ranker.words(text)) for text in parts],
        question=snapshot.knowledge.question(prepared.text, as_of=as_of, district=district),
        facts=facts,
        deadlines=None if snapshot.rules.pack.limit_facts & UNIT_FACTS else options.deadlines(facts),
    )


def _assemble(
    draft: _Draft, vector: np.ndarray, matters: Sequence[tuple[_Matter, np.ndarray]], options: _Options
) -> Proposal:
    """``matters``: the parts of a text that holds several, each with its vector."""
    as_of, snapshot = options.as_of, options.snapshot
    order, prepared, district, street = draft.order, draft.prepared, draft.district, draft.street
    ranking = snapshot.ranker.rank(
        prepared.text,
        as_of=as_of,
        vector=vector,
        words=draft.words,
        district=district,
        street=street,
        fields={name: getattr(order, name) for name in FIELDS},
        top=TOP_UNITS,
        with_evidence=options.with_evidence,
    )
    hits = snapshot.knowledge.answer(draft.question, vector=vector, top=TOP_ENTRIES).hits
    facts = draft.facts | unit_facts(
        prepared,
        draft.facts,
        received_at=order.received_at or as_of,
        ranking_units=[ranked.unit for ranked in ranking.units],
        directory=snapshot.directory,
    )
    verdicts = [
        verdict
        for gate in TRIAGE_GATES
        for verdict in snapshot.rules.verdicts(facts, as_of=as_of, gate=gate, passed=options.all_verdicts)
    ]
    ids = snapshot.ids
    instant = as_of.isoformat()
    return Proposal(
        proposal_id=proposal_id(order_dict(prepared.order), instant, ids),
        as_of=instant,
        order=order_dict(prepared.order) | {"masked_paths": list(prepared.masked_paths)},
        units=_units(ranking),
        abstained=ranking.abstained,
        abstain_reason=ranking.abstain_reason,
        abstain_kind=ranking.abstain_kind,
        backoff=_backoff(ranking),
        coverage_set=list(ranking.coverage_set),
        joint=_joint(matters, ranking, options, district=district, street=street) if options.with_evidence else [],
        entries=[
            {
                "id": hit.entry.id,
                "title": hit.entry.title,
                "score": round(float(hit.score), 4),
                "unit": hit.entry.unit,
                "effective_to": hit.entry.effective_to.isoformat() if hit.entry.effective_to else None,
            }
            for hit in hits
            if hit.score >= LEAST_ENTRY_SCORE
        ],
        verdicts=[verdict.as_dict() for verdict in verdicts],
        deadlines=options.deadlines(facts) if draft.deadlines is None else draft.deadlines,
        elements=prepared.elements.as_dict(),
        snapshot=ids,
    )


def _joint(
    matters: Sequence[tuple[_Matter, np.ndarray]], ranking: Ranking, options: _Options, *, district: str, street: str
) -> list[dict[str, Any]]:
    """Lead and assisting units (主办、协办) of a text that holds several matters; each part is ranked by itself."""
    snapshot, as_of = options.snapshot, options.as_of
    parts: list[Ranking] = []
    if matters:
        parts = snapshot.ranker.rank_many(
            [matter.text for matter, _ in matters],
            np.stack([vector for _, vector in matters]),
            words=[matter.words for matter, _ in matters],
            as_of=as_of,
            districts=[district] * len(matters),
            streets=[street] * len(matters),
            with_evidence=False,
        )
    return [
        dict(one) for one in propose_assist(ranking, parts, unit_of=lambda name: snapshot.directory.get(name, as_of))
    ]


def order_dict(order: WorkOrder) -> dict[str, Any]:
    """The order as JSON; the label of a historic order is left out."""
    row: dict[str, Any] = {}
    for name in _ORDER_NAMES:
        value = getattr(order, name)
        # Lone surrogates (half an emoji) have no UTF-8 form and could be neither hashed nor stored.
        row[name] = value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value
    row["received_at"] = order.received_at.isoformat() if order.received_at else None
    row["related"] = list(order.related)
    return row


def _backoff(ranking: Ranking) -> dict[str, Any] | None:
    if ranking.backoff is None:
        return None
    return asdict(ranking.backoff) | {"probability": round(ranking.backoff.probability, 4)}


def _units(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {
            "unit": ranked.unit,
            "probability": round(float(ranked.probability), 4),
            "evidence": [
                {"kind": one.kind, "text": one.text, "weight": round(float(one.weight), 4), "ref": one.ref}
                for one in ranked.evidence
            ],
        }
        for ranked in ranking.units
    ]
