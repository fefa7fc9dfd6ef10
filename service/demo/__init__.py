"""Demo data: a month of a made-up hotline, written by the functions that the product uses, with a clock that walks along.

Nothing here writes a row itself. So the log verifies, a decision replays, and every page shows something that is true of
this database.
"""

from service.demo.build import Built, build, standing
from service.demo.place import DemoPlan, environment

__all__ = ["Built", "DemoPlan", "build", "environment", "standing"]
