"""发布: what the checks say of a version, what it would change, and the form with a reason; history and differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import Engine

from intake.errors import ZhipaiError
from rules.coverage import coverage
from rules.diff import compare
from rules.pack import RulePack
from service.access import Actor
from service.api.auth import named, needs
from service.db.engine import reading
from service.packs import overrides_of
from service.pages.forms import go_to, instant_of
from service.pages.render import page
from service.pages.rule_view import diff_view
from service.pages.rules import PackName, Reader, asked, moment, runtime, tabs
from service.publication import Attachment, Candidate, Order, attach_backtest, check_folder, check_published, publish
from service.reports import BACKTEST, Report, find_report, reports
from service.rule_shelf import Shown, shown_pack
from service.rule_versions import STATES, find_version, history, load_bundle
from service.runtime import Runtime
from service.version import VERSION

router = APIRouter(include_in_schema=False)
Publisher = Annotated[Actor, Depends(needs("rules.publish"))]
Version = Annotated[str, Query(max_length=120)]
SOFTWARE = f"zhipai {VERSION}"
#: Publications on the page, the newest first.
MOST = 50


@router.get("/rules/history")
def versions(request: Request, actor: Reader, pack: PackName = "", done: Version = "") -> Response:
    """Who published what, why, from when until when. ``done``: the version that was just published."""
    state, now = runtime(request), moment(request)
    shown = shown_pack(pack, state.snapshot, state.engine, at=now)
    rows = history(state.engine, shown.pack.name, at=now)
    return page(
        request,
        "rules/history.html",
        tabs=tabs(actor),
        shown=shown,
        pack=shown.pack,
        rows=[_with_predecessor(rows, number) for number in reversed(range(len(rows)))][:MOST],
        states=STATES,
        done=done if any(row["version"] == done for row in rows) else "",
        may_publish=actor.may("rules.publish").allowed,
    )


def _with_predecessor(rows: Sequence[dict[str, Any]], number: int) -> dict[str, Any]:
    return rows[number] | {"before": rows[number - 1]["version"] if number else ""}


@router.get("/rules/diff")
def differences(request: Request, actor: Reader, old: Version, new: Version) -> Response:
    """Two published versions side by side."""
    state = runtime(request)
    before, after = (_published(state.engine, version) for version in (old, new))
    return page(request, "rules/diff.html", tabs=tabs(actor), diff=diff_view(compare(before, after)), pack=after)


def _published(engine: Engine, version: str) -> RulePack:
    with reading(engine) as connection:
        content_hash = find_version(connection, version)
    return load_bundle(engine, content_hash)


@router.get("/rules/publish")
def prepare(request: Request, actor: Publisher, pack: PackName = "", version: Version = "") -> Response:
    """The draft in the folder (or, with ``version``, a published version to go back to) with all that the checks say."""
    state, now = runtime(request), moment(request)
    shown = shown_pack(pack, state.snapshot, state.engine, at=now)
    candidate = _candidate(state, shown, version)
    return page(
        request,
        "rules/publish.html",
        tabs=tabs(actor),
        shown=shown,
        pack=shown.pack,
        version=version,
        candidate=candidate,
        counts=candidate.summary(),
        covered=_coverage(candidate),
        diff=diff_view(compare(shown.pack, candidate.pack)) if candidate.pack and shown.publication else None,
        same=bool(candidate.pack and shown.publication)
        and candidate.pack.content_hash == shown.publication.content_hash,  # type: ignore[union-attr]
        backtests=_fitting(state, candidate),
        now=now,
    )


def _candidate(state: Runtime, shown: Shown, version: str) -> Candidate:
    if version:
        return check_published(state.engine, version, pack=shown.pack.name)
    in_use = state.snapshot.rules.pack.name
    name = state.settings.pack if shown.pack.name == in_use else shown.pack.name
    return check_folder(name, overrides=overrides_of(state.settings, name))


def _coverage(candidate: Candidate) -> dict[str, Any] | None:
    """How much of the pack is tested; None for one that does not load, or whose folder is an unpacked archive."""
    if candidate.pack is None or not candidate.pack.folder.is_dir():
        return None
    found = coverage(candidate.pack).as_dict()
    names = ("clauses_without_rule", "clauses_unused", "rules_incomplete", "tests", "to_fill")
    return {name: found[name] for name in names} | {"rules": len(found["rules"]), "clauses": len(found["clauses"])}


def _fitting(state: Runtime, candidate: Candidate) -> list[Report]:
    """The backtest reports that were made with this very version."""
    if candidate.pack is None:
        return []
    wanted = candidate.pack.content_hash
    found = reports(state.settings, BACKTEST)
    return [one for one in found if one.summary.get("pack", {}).get("content_hash") == wanted]


@router.post("/rules/publish")
def publish_now(
    request: Request,
    actor: Publisher,
    seen: Annotated[str, Form(max_length=120)],
    pack: Annotated[str, Form(max_length=200)] = "",
    version: Annotated[str, Form(max_length=120)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    effective_from: Annotated[str, Form(max_length=40)] = "",
    backtest: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Publish exactly the version whose checks were shown (``seen``)."""
    state, now = runtime(request), moment(request)
    start = _start(effective_from, state.settings.time_zone)
    candidate = _candidate(state, shown_pack(pack, state.snapshot, state.engine, at=now), version)
    found, _ = candidate.require()
    if found.content_hash != seen:
        raise ZhipaiError("E7986", {"what": "这个规则包", "now": f"现在是 {found.id}"})
    record = publish(
        state.engine,
        candidate,
        Order(named(actor, actor.name), reason, start, actor.role_for("rules.publish")),
        backtest=_attached(state, backtest, found),
        software=SOFTWARE,
        at=now,
    )
    state.wake()
    return go_to(request, asked("/rules/history", pack=pack, done=record["version"]))


def _start(text: str, zone: str) -> datetime | None:
    return instant_of(text, zone, field="生效时刻")


def _attached(state: Runtime, name: str, pack: RulePack) -> Attachment | None:
    return attach_backtest(find_report(state.settings, BACKTEST, name).data, pack) if name else None
