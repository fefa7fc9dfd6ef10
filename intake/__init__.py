"""Intake: what a work order, a unit, a matter and a place *are*, and the one way from a file to model input.

The things are handed out here. The verbs live in modules of their own, so that importing a thing loads no Excel reader:

- ``intake.mapping.Mapping`` and ``intake.readers.read_orders``: somebody's CSV, XLSX or JSON-lines file to orders, with
  the place of every bad row.
- ``intake.prepare.prepare``: clean, mask, strip and read one order. Training and serving call it and nothing else.

Nothing here knows HTTP, SQL, a model or the clock, and nothing here imports another room.
"""

from intake.errors import CATALOGUE, ZhipaiError
from intake.gazetteer import Gazetteer, Place
from intake.order import WorkOrder, check_order
from intake.taxonomy import Matter, read_matters
from intake.unit import Unit, UnitDirectory

__all__ = [
    "CATALOGUE",
    "Gazetteer",
    "Matter",
    "Place",
    "Unit",
    "UnitDirectory",
    "WorkOrder",
    "ZhipaiError",
    "check_order",
    "read_matters",
]
