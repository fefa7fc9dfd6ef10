"""What was filled into a form: instants in the zone of the installation, facts in the types of the dictionary; and on to
another page once it was accepted."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from intake.errors import ZhipaiError, register
from rules.fact_dictionary import Fact, fact_dictionary

register("E7985", "填写有误", "“{field}”不对：{problem}。")
register(
    "E7986",
    "已不是您看过的那一版",
    "您看过之后，{what}又变了（{now}），刚才的操作没有执行。请刷新页面，看过现在的内容再做。",
    status=409,
)

YES, NO = "是", "否"


def instant_of(text: str, zone: str, *, field: str) -> datetime | None:
    """What ``<input type="datetime-local">`` sends, as an instant in a zone; None if nothing was filled in. E7985."""
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ZhipaiError("E7985", {"field": field, "problem": "不是日期和时刻，例如 2026-05-06 09:30"}) from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


def facts_of(form: FormData, zone: str) -> dict[str, object]:
    """The facts that were filled in, by name (``fact:<name>``), in the type of the dictionary. E7985, E3202."""
    found: dict[str, object] = {}
    dictionary = fact_dictionary()
    for key, text in form.items():
        name = key.removeprefix("fact:")
        if name == key or not isinstance(text, str) or not text.strip():
            continue
        fact = dictionary.get(name)
        if fact is None:
            raise ZhipaiError("E3202", {"fact": name[:40], "hint": dictionary.hint(name)})
        found[name] = _value(fact, text.strip(), zone)
    return found


def _value(fact: Fact, text: str, zone: str) -> object:
    if fact.type == "bool":
        if text not in (YES, NO):
            raise ZhipaiError("E7985", {"field": fact.short_name, "problem": "只能选是或否"})
        return text == YES
    if fact.type in ("int", "float"):
        try:
            return int(text) if fact.type == "int" else float(text)
        except ValueError:
            kind = "整数" if fact.type == "int" else "数"
            raise ZhipaiError("E7985", {"field": fact.short_name, "problem": f"应是{kind}"}) from None
    if fact.type == "instant":
        return instant_of(text, zone, field=fact.short_name)
    return text


def go_to(request: Request, address: str) -> Response:
    """After a form was accepted: the browser opens another page, whether htmx or the browser itself sent the form."""
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return Response(status_code=303, headers={"Location": address})
