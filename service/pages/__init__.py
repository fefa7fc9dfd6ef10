"""The pages: Chinese, server-rendered, keyboard first, nothing loaded from outside, no inline script or style.

How to add a page:

1. Write ``service/pages/<subject>.py`` with ``router = APIRouter(include_in_schema=False)``.
2. A route asks for its permission and renders a template::

       @router.get("/kb", dependencies=[Depends(needs("kb.read"))])
       def entries(request: Request) -> Response:
           return page(request, "kb/entries.html", rows=rows)

3. ``templates/<subject>/….html`` extends ``base.html`` (blocks: ``title``, ``head``, ``main``, ``side``, and ``keys``,
   rows of ``<dt><dd>`` for the keyboard help) and may
   import ``macros.html`` (``bar``, ``empty``, ``field``, ``chart``). ``page`` adds ``actor``, ``nav``, ``csrf``, and
   ``person(name)``, which says who did something: the name of an account, never the account alone.
   Parts that htmx puts into a page are rendered with :func:`service.pages.render.fragment`.
4. Add the module to ``MODULES`` below, and a line to ``navigation.ITEMS`` if the page belongs in the header: it is shown
   to whoever may take its action.
5. Forms: ``hx-post`` or a plain POST with ``{{ csrf_field() }}``; ``data-draft="name"`` keeps what is typed until it was
   accepted. Errors are raised as ``ZhipaiError``: a whole page, a toast or a problem document, as the caller asks.
6. Charts: block ``head`` includes ``charts_head.html``, the body ``{{ chart("id", options) }}`` with ECharts options as data.
7. Add the page to ``tests/e2e/browser`` (axe, both widths, both themes) and its screenshot to ``docs/guide``.
"""

from __future__ import annotations

from fastapi import FastAPI

from service.pages import (
    audit,
    audit_charts,
    audit_prove,
    audit_story,
    cases,
    kb,
    kb_edit,
    kb_gaps,
    kb_import,
    kb_upkeep,
    model_labels,
    model_moves,
    models,
    overview,
    rule_publish,
    rule_reports,
    rule_try,
    rules,
    start,
    static,
    unit,
    workbench,
    workbench_decide,
    workbench_live,
    workbench_parts,
)

#: The workbench comes last: the number of an order may hold a slash, so that its address takes whatever others leave.
MODULES = (
    start,
    overview,
    audit,
    audit_charts,
    audit_prove,
    audit_story,
    rules,
    rule_try,
    rule_publish,
    rule_reports,
    models,
    model_moves,
    model_labels,
    cases,
    unit,
    kb_edit,
    kb_import,
    kb_gaps,
    kb_upkeep,
    kb,
    workbench_parts,
    workbench_decide,
    workbench_live,
    workbench,
)


def install(app: FastAPI) -> None:
    """Put the pages and their static files on the application."""
    static.install(app)
    for module in MODULES:
        app.include_router(module.router)
