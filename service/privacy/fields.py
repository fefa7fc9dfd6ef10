"""Which fields of an order and of a proposal are personal data, and how they are taken out and put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Of an order as filed. Place names smaller than a district narrow down who called; numbers and categories do not.
ORDER_PATHS = ("/text", "/title", "/street", "/community")
#: Of a proposal: the same of the masked order, and what was read out of its text. What patterns do not find (a name in
#: the middle of a sentence) stays in a masked text, so it is 去标识化, not 匿名化.
PROPOSAL_PATHS = (
    *(f"/order{path}" for path in ORDER_PATHS),
    "/elements/time",
    "/elements/place/street",
    "/elements/place/community",
    "/elements/place/mention",
    "/elements/target",
    "/elements/request",
)
#: Key of a sealed proposal: what was taken out, and the commitments to it.
WITHHELD = "withheld"


def order_fields(order: Mapping[str, Any]) -> dict[str, Any]:
    """JSON pointer → value of the personal fields of an order that are not empty."""
    return _present(order, ORDER_PATHS)


def proposal_fields(proposal: Mapping[str, Any]) -> dict[str, Any]:
    """JSON pointer → value of the personal fields of a proposal that are not empty.

    The text of evidence is among them: words of this order, and sentences of other orders that are like it.
    """
    return _present(proposal, [*PROPOSAL_PATHS, *_evidence(proposal)])


def _evidence(proposal: Mapping[str, Any]) -> Iterator[str]:
    for number, unit in enumerate(proposal.get("units", ())):
        for place in range(len(unit["evidence"])):
            yield f"/units/{number}/evidence/{place}/text"


def _present(document: Mapping[str, Any], paths: Any) -> dict[str, Any]:
    found = {path: _get(document, path) for path in paths}
    return {path: value for path, value in found.items() if value}


def without(document: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which these fields are empty (``""`` or ``[]``)."""
    return _with(document, {path: type(value)() for path, value in fields.items()})


def together(document: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it was before :func:`without`."""
    opened = _with(document, fields)
    opened.pop(WITHHELD, None)
    return opened


def _with(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with other values. What no path leads to is shared with the document: nobody changes either in place."""
    changed = dict(document)
    own = {id(changed)}
    for path, value in values.items():
        *parents, last = _keys(path)
        node: Any = changed
        for key in parents:
            place = int(key) if isinstance(node, list) else key
            child = node[place]
            if id(child) not in own:
                child = node[place] = child.copy()
                own.add(id(child))
            node = child
        node[int(last) if isinstance(node, list) else last] = value
    return changed


def _get(document: Any, path: str) -> Any:
    node = document
    for key in _keys(path):
        if isinstance(node, list):
            node = node[int(key)] if int(key) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _keys(path: str) -> list[str]:
    return path.removeprefix("/").split("/")
