"""回测报告: those in the data folder, listed, and opened so that nothing in them can act."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, Response

from service.access import Actor
from service.api.auth import needs
from service.pages.render import page
from service.pages.rules import runtime, tabs
from service.reports import BACKTEST, Report, find_report, reports

router = APIRouter(include_in_schema=False)
Tester = Annotated[Actor, Depends(needs("rules.backtest"))]
ReportName = Annotated[str, Path(max_length=200)]
#: A report has inline style and needs nothing else: no script, no form, an origin of its own.
SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/rules/backtests")
def backtests(request: Request, actor: Tester) -> Response:
    return page(request, "rules/backtests.html", tabs=tabs(actor), reports=reports(runtime(request).settings, BACKTEST))


@router.get("/rules/backtests/{name:path}")
def backtest(request: Request, _: Tester, name: ReportName) -> Response:
    return sandboxed(find_report(runtime(request).settings, BACKTEST, name))


def sandboxed(report: Report) -> Response:
    """A report as it stands on the disk."""
    return HTMLResponse(
        report.path.read_bytes(),
        headers={"Content-Security-Policy": SANDBOX, "Cache-Control": "private, no-store"},
    )
