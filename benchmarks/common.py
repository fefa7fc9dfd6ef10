"""Shared by the benchmarks: rows of the table, texts, a data folder of one's own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from intake.mapping import Mapping
from intake.readers import read_orders
from service.settings import ROOT, settings


@dataclass(frozen=True)
class Row:
    """One line of the table; ``reached`` is None where there is no goal."""

    what: str
    figure: str
    goal: str = ""
    reached: bool | None = None


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def city_texts(count: int) -> list[str]:
    """Orders of the bundled city, spread over the file."""
    lines = (ROOT / "datasets" / "city" / "orders.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[:: max(1, len(lines) // count)]]
    return texts[:count]


def real_texts(count: int) -> list[str] | None:
    """Real orders, if they are on this machine; None otherwise."""
    folder = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data")) / "haikou_12345_orders"
    if not folder.is_dir():
        return None
    mapping = Mapping.from_file(ROOT / "datasets" / "mappings" / "haikou.yaml")
    texts: list[str] = []
    for row in read_orders(folder / "orders.csv", mapping):
        # The peer takes 5 to 1,000 characters; both get the same texts.
        if row.order is not None and 5 <= len(row.order.text) <= 1000:
            texts.append(row.order.text)
        if len(texts) == count:
            break
    return texts


@contextmanager
def own_home() -> Iterator[Path]:
    """A data folder for one benchmark: a copy of the database and indexes, the encoder by link."""
    source = settings().home
    with tempfile.TemporaryDirectory(prefix="zhipai-bench-") as folder:
        home = Path(folder)
        (home / "encoder").symlink_to(settings().encoder_folder)
        shutil.copytree(source / "indexes", home / "indexes")
        shutil.copy(source / "zhipai.db", home / "zhipai.db")
        yield home
