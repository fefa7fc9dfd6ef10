"""The registered model as MLflow runs it (models from code: MLflow stores this file, nothing is pickled).

Input columns: ``text`` (清理后的诉求), ``as_of`` (带时区的时刻, ISO 8601), ``district`` and ``street`` (may be empty),
and, where known, the fields of :data:`models.fields.FIELDS`.
Output: one row for each order and proposed unit. The encoder is not part of the model; it is found at
``ZHIPAI_ENCODER``, else at ``encoder`` under ``ZHIPAI_HOME``.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
from mlflow.pyfunc import PythonModel, PythonModelContext

from models.encoder import Encoder
from models.fields import FIELDS
from models.ranker import UnitRanker


class RankerModel(PythonModel):
    """Loads the artifact with its checks, and ranks."""

    def load_context(self, context: PythonModelContext) -> None:
        home = Path(os.environ.get("ZHIPAI_HOME", "var"))
        encoder = Encoder.load(Path(os.environ.get("ZHIPAI_ENCODER") or home / "encoder"))
        self.ranker = UnitRanker.load(Path(context.artifacts["ranker"]), encoder=encoder)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        rows = []
        for number, one in enumerate(model_input.fillna("").itertuples(index=False)):
            ranking = self.ranker.rank(
                str(one.text),
                as_of=datetime.fromisoformat(str(one.as_of)),
                district=str(one.district),
                street=str(one.street),
                fields={name: str(getattr(one, name, "")) for name in FIELDS},
            )
            rows += [
                {
                    "order": number,
                    "unit": ranked.unit,
                    "probability": ranked.probability,
                    "abstained": ranking.abstained,
                }
                for ranked in ranking.units
            ]
        return pd.DataFrame(rows, columns=["order", "unit", "probability", "abstained"])


mlflow.models.set_model(RankerModel())
