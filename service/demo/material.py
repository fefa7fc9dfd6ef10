"""What the month is made of: orders of the bundled city that no model of the demo has seen, each with its instant."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from intake.order import WorkOrder
from intake.unit import UnitDirectory
from service.demo.place import DemoPlan
from service.settings import Settings

#: How many calls an hour of the day brings, compared with the busiest.
HOURS = (
    0.06, 0.04, 0.03, 0.03, 0.04, 0.08, 0.2, 0.45, 0.9, 1.0, 1.0, 0.8,
    0.5, 0.6, 0.85, 0.95, 0.9, 0.75, 0.55, 0.5, 0.45, 0.3, 0.2, 0.1,
)  # fmt: skip
WEEKEND = 0.55
#: One order in so many is the same caller calling again.
AGAIN_EVERY = 40
AGAIN = "前几天打过电话反映，一直没有解决，再催一下：{text}"
#: The orders of a hot matter come until so long before the end.
GATHERED = timedelta(minutes=30)
SEVERAL = 3
#: The first model is trained on this share of what the second is trained on.
FIRST_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Filing:
    """An order that comes in: when, what it is, who should have it in the end, whether it is a matter for no unit, and the
    number of the order that it repeats."""

    at: datetime
    order: WorkOrder
    truth: str
    declined: bool
    repeats: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """The filings in their order, the rows to train on, and those that are neither filed nor trained on."""

    filings: tuple[Filing, ...]
    training: tuple[dict[str, Any], ...]
    spare: tuple[dict[str, Any], ...]


def gather(city: Path, plan: DemoPlan, directory: UnitDirectory) -> Material:
    """Draw the month and the training rows, apart from one another; the same seed gives the same."""
    draw = random.Random(plan.seed)
    rows = [json.loads(line) for line in (city / "orders.jsonl").read_text(encoding="utf-8").splitlines() if line]
    matters = yaml.safe_load((city / "matters.yaml").read_text(encoding="utf-8"))
    declined = {one["id"] for one in matters if one["domain"] == "不予受理"}
    draw.shuffle(rows)
    gathered = _gathering(rows, yaml.safe_load((city / "gazetteer.yaml").read_text(encoding="utf-8")), declined)
    ids = {row["id"] for row in gathered}
    rows = [row for row in rows if row["id"] not in ids]
    fresh = plan.orders - plan.orders // AGAIN_EVERY - len(gathered)
    filings: list[Filing] = []
    together = [plan.end - GATHERED - timedelta(minutes=35 * number) for number in range(len(gathered))]
    instants: list[tuple[datetime, dict[str, Any] | None]] = [
        *((at, None) for at in _instants(plan, draw, plan.orders - len(gathered))),
        *zip(together, gathered, strict=True),
    ]
    instants.sort(key=lambda one: one[0])
    chosen = rows[:fresh]
    for number, (at, own) in enumerate(instants, start=1):
        order_id = f"YT{at:%Y%m%d}{number:05d}"
        earlier = [one for one in filings[-400:] if not one.repeats and at - one.at > timedelta(days=2)]
        if own is None and ((number % AGAIN_EVERY == 0 and earlier) or not chosen):
            before = draw.choice(earlier or filings)
            text = AGAIN.format(text=before.order.text)
            order = WorkOrder(
                text,
                order_id=order_id,
                channel="电话",
                order_type=before.order.order_type,
                received_at=at,
                district=before.order.district,
            )
            filings.append(Filing(at, order, before.truth, before.declined, before.order.order_id))
            continue
        row = own or chosen.pop()
        order = WorkOrder(
            row["text"],
            order_id=order_id,
            channel=row["channel"],
            order_type=row["order_type"],
            received_at=at,
            district=row["district"],
        )
        unit = directory.forward(row["unit"], at)
        filings.append(Filing(at, order, unit.name if unit else row["unit"], row["matter"] in declined))
    return Material(tuple(filings), tuple(rows[fresh : fresh + plan.train]), tuple(rows[fresh + plan.train :]))


def write_training(settings: Settings, material: Material) -> tuple[Path, Path]:
    """The files of the first and of the second training, in the demo's city."""
    lines = [json.dumps(row, ensure_ascii=False) for row in material.training]
    first, second = settings.city / "orders-first.jsonl", settings.city / "orders.jsonl"
    first.write_text("\n".join(lines[: int(len(lines) * FIRST_SHARE)]) + "\n", encoding="utf-8")
    second.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return first, second


def write_month(settings: Settings, material: Material) -> Path:
    """The month as a file with the units that should have had the orders, as a city would export it afterwards."""
    path = settings.city / "month.jsonl"
    rows = [
        {
            "id": one.order.order_id,
            "received_at": one.at.isoformat(),
            "channel": one.order.channel,
            "order_type": one.order.order_type,
            "text": one.order.text,
            "district": one.order.district,
            "unit": one.truth,
        }
        for one in material.filings
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _gathering(rows: list[dict[str, Any]], gazetteer: dict[str, Any], declined: set[str]) -> list[dict[str, Any]]:
    """Orders that tell of one matter at one place, in the most alike words: they come together at the end of the month, for
    a hot matter."""
    places = sorted({name for kind in ("roads", "estates", "landmarks") for name in _names(gazetteer, kind)})
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for place in places:
            if row["matter"] not in declined and place in row["text"]:
                found[row["matter"], place].append(row)
    several = [(_alike([row["text"].replace(place, "") for row in part]), part) for (_, place), part in found.items()
               if len(part) >= SEVERAL]  # fmt: skip
    return max(several, key=lambda one: one[0])[1] if several else []


def _alike(texts: list[str]) -> float:
    """The share of the shorter text's pairs of characters that stand in the other, on average."""
    pairs = [{one[i : i + 2] for i in range(len(one) - 1)} for one in texts]
    return mean(len(a & b) / max(1, min(len(a), len(b))) for a, b in combinations(pairs, 2))


def _names(part: Any, kind: str) -> Iterator[str]:
    """The place names of a kind, anywhere in the gazetteer."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from value if key == kind else _names(value, kind)
    elif isinstance(part, list):
        for one in part:
            yield from _names(one, kind)


def _instants(plan: DemoPlan, draw: random.Random, wanted: int) -> list[datetime]:
    """So many instants, rising, more of them in working hours."""
    begin = plan.end - timedelta(days=plan.days)
    hours, weights = [], []
    at = begin.replace(minute=0, second=0, microsecond=0)
    while at < plan.end:
        hours.append(at)
        weights.append(HOURS[at.hour] * (WEEKEND if at.weekday() >= 5 else 1.0))
        at += timedelta(hours=1)
    found: list[datetime] = []
    while len(found) < wanted:
        instant = draw.choices(hours, weights)[0] + timedelta(seconds=draw.randrange(3600))
        if begin <= instant < plan.end:
            found.append(instant)
    return sorted(found)
