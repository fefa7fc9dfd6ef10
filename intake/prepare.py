"""The one way from an order as filed to what is stored, shown and fed to a model. Training and serving both take it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from intake.clean import clean_text, to_simplified
from intake.elements import Elements, read_elements
from intake.gazetteer import Gazetteer
from intake.hints import strip_dispatch_hint
from intake.order import WorkOrder
from intake.pii import mask_pii


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order made ready.

    Parameters
    ----------
    order : WorkOrder
        With clean, masked title, text and extra fields: fit to store and to show.
    text : str
        Model input: one line, simplified, without dispatch hints, the title before it where the title adds something.
    elements : Elements
        What was found in it.
    masked_paths : tuple of str
        ``"text[12:23]:phone"``: field, span in the cleaned field, kind. Never the value.
    removed_hints : tuple of str
        What was taken out as a dispatch hint, masked.
    """

    order: WorkOrder
    text: str
    elements: Elements
    masked_paths: tuple[str, ...]
    removed_hints: tuple[str, ...]


def prepare(order: WorkOrder, gazetteer: Gazetteer) -> Prepared:
    """Clean, mask, strip and read one order. Callers run :func:`intake.order.check_order` before."""
    paths: list[str] = []

    def mask(name: str, value: str) -> str:
        masked = mask_pii(clean_text(value))
        paths.extend(f"{name}[{span.start}:{span.end}]:{span.kind}" for span in masked.spans)
        return masked.text

    stored = replace(
        order,
        text=mask("text", order.text),
        title=mask("title", order.title),
        extra={key: mask(f"extra/{key}", value) for key, value in order.extra.items()},
    )
    body = strip_dispatch_hint(to_simplified(stored.text))
    title = strip_dispatch_hint(to_simplified(stored.title))
    text = " ".join(body.text.split()) or " ".join(stored.text.split())
    headline = " ".join(title.text.split())
    whole = text if not headline or headline in text else f"{headline}。{text}"
    return Prepared(
        order=stored,
        text=whole,
        elements=read_elements(whole, f"{stored.title}\n{stored.text}", stored, gazetteer),
        masked_paths=tuple(paths),
        removed_hints=body.removed + title.removed,
    )
