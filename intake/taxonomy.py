"""What a matter (事项) is: the taxonomy that orders are filed under."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter (事项) of the taxonomy.

    ``civic7`` is its class among the seven of the civic messages, or empty where none fits.
    """

    id: str
    name: str
    domain: str
    kind: str
    civic7: str = ""


def read_matters(path: Path) -> tuple[Matter, ...]:
    """Read the YAML list of matters of a city."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Matter(id=row["id"], name=row["name"], domain=row["domain"], kind=row["kind"], civic7=row.get("civic7") or "")
        for row in rows
    )
