"""How our stripping of dispatch hints compares with a column that somebody else cleaned."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Any

from intake.hints import strip_dispatch_hint
from intake.readers import Row

_NOT_WORDS = re.compile(r"[\W_]+")
#: A clause that asks a named unit to deal with the matter. Written apart from the patterns of ``intake.hints`` and
#: wider, so that what they miss is seen.
_LEAK = re.compile(
    "请(?!有关|相关|求|问|贵|您|你)[^，。！!？?；;\n]{0,25}?(?:局|委|办|中心|政府|公司|集团|队|站|所|城管|交警|公安|部门|街道|镇|热线|单位)"
    "[^，。！!？?；;\n]{0,12}?(?:核实|核查|核处|处置|响应|处理)|(?:30|三十)分钟[^，。！!？?；;\n]{0,8}(?:核实|联系市民|响应|处置)"
)
_REPLY_LEAK = re.compile(
    r"20\d\d-\d\d?-\d\d?[^\n，。]{0,40}(?:局|委|办|中心|公司|支队|大队)(?:答复|回复|反馈)?[:：]|我(?:局|支队|中队|大队|所|街道|镇|司)工作人员"
)


def compare_hints(rows: Iterable[Row], *, reference: str = "去提示文本") -> dict[str, Any]:
    """Compare ``strip_dispatch_hint`` of each order's text with the column ``reference`` of its row.

    Texts are compared without white space and punctuation.

    Returns
    -------
    dict
        ``rows``; ``changed`` and ``reference_changed``: share of rows that differ from the record; ``exact``: share of
        rows where both are equal; ``similarity``: mean ratio of common characters; ``leaks`` and ``reference_leaks``:
        rows in which a clause that asks a named unit survives; ``replies`` and ``reference_replies``: rows in which an
        earlier unit's reply survives; ``furthest``: numbers of the 20 orders that differ most, to look at.
    """
    count = 0
    changed = reference_changed = exact = leaks = reference_leaks = replies = reference_replies = 0
    similarity = 0.0
    distances: list[tuple[float, str]] = []
    for row in rows:
        if row.order is None or reference not in row.raw:
            continue
        count += 1
        record, theirs = row.order.text, row.raw[reference]
        ours = strip_dispatch_hint(record).text
        plain, plain_theirs = _NOT_WORDS.sub("", ours), _NOT_WORDS.sub("", theirs)
        changed += plain != _NOT_WORDS.sub("", record)
        reference_changed += plain_theirs != _NOT_WORDS.sub("", record)
        ratio = 1.0 if plain == plain_theirs else SequenceMatcher(None, plain, plain_theirs, autojunk=False).ratio()
        exact += ratio == 1.0
        similarity += ratio
        leaks += bool(_LEAK.search(ours))
        reference_leaks += bool(_LEAK.search(theirs))
        replies += bool(_REPLY_LEAK.search(ours))
        reference_replies += bool(_REPLY_LEAK.search(theirs))
        distances.append((ratio, row.order.order_id))
    share = 1 / max(count, 1)
    return {
        "rows": count,
        "changed": changed * share,
        "reference_changed": reference_changed * share,
        "exact": exact * share,
        "similarity": similarity * share,
        "leaks": leaks,
        "reference_leaks": reference_leaks,
        "replies": replies,
        "reference_replies": reference_replies,
        "furthest": [number for ratio, number in sorted(distances)[:20] if ratio < 1],
    }
