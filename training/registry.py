"""The model registry: MLflow on SQLite, in one folder. Versions appear whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intake.errors import ZhipaiError, register
from models.artifact import verify
from models.fields import FIELDS
from training.champion import CHAMPION, DATABASE, MODEL, MODEL_ID, PATH, Version, champion

__all__ = ["Registry", "Version", "champion"]

register("E5102", "没有这个模型版本", "模型库里没有“{wanted}”。用 zhipai models 查看已登记的版本。")
register(
    "E5103", "没有可退回的版本", "没有上一个上线的版本可以退回。用 zhipai models 查看版本，再用 zhipai promote 指定。"
)

EXPERIMENT = "unit-ranker"
#: The version that was champion before the present one.
PREVIOUS = "previous"
CODE = Path(__file__).with_name("pyfunc_model.py")
#: A run that is being registered; what still has it when the next one starts was killed half-way.
STATE, OPEN, DONE = "zhipai.state", "registering", "registered"

# Before mlflow is first imported anywhere: nothing may leave the machine, and nothing may be said about git.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


class Registry:
    """Registered models under ``store``: ``mlflow.db`` and ``artifacts/``.

    A version is listed and can be promoted only once its last tag, the path of its artifact, is written; whatever an
    interrupted registration left is removed by the next one. mlflow is imported when first needed.
    """

    def __init__(self, store: Path):
        self.store = store.absolute()
        self._uri = f"sqlite:///{self.store / DATABASE}"

    def register(
        self,
        folder: Path,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        card: str = "",
        files: Path | None = None,
    ) -> Version:
        """Copy a saved ranker into the store as a new version, with its figures and its model card (Markdown).

        ``files`` is a folder with whatever else the run keeps: plots, data card, answers to the frozen test.

        Raises
        ------
        ZhipaiError
            E2201–E2203 if ``folder`` is not a whole artifact.
        """
        model_id = verify(folder)
        with self._mlflow() as mlflow:
            client = self._client(mlflow)
            experiment = self._experiment(client)
            self._sweep(client, experiment)
            run = client.create_run(experiment, tags={**tags, STATE: OPEN}, run_name=model_id)
            try:
                version = self._log(mlflow, client, run, folder, model_id, params, metrics, tags, card, files)
            except BaseException:
                self._discard(client, run.info.run_id)
                raise
            client.set_tag(run.info.run_id, STATE, DONE)
            client.set_terminated(run.info.run_id)
        return self.get(version)

    def promote(self, version: str, alias: str = CHAMPION) -> Version:
        """Put a version in force under ``alias``; the one that was champion until now can be rolled back to.

        Raises
        ------
        ZhipaiError
            E5102 for an unknown version, E2201–E2203 for one whose files are damaged or of another format: what
            serving would refuse is not put in force.
        """
        wanted = self.get(str(version))
        verify(wanted.path)
        with self._mlflow() as mlflow:
            client = self._client(mlflow)
            current = champion(self.store, alias=alias)
            if alias == CHAMPION and current is not None and current.version != wanted.version:
                client.set_registered_model_alias(MODEL, PREVIOUS, current.version)
            client.set_registered_model_alias(MODEL, alias, wanted.version)
        return self.get(wanted.version)

    def rollback(self) -> Version:
        """Put the version in force that was so before the present champion; E5103 if there is none."""
        previous, current = champion(self.store, alias=PREVIOUS), champion(self.store)
        if previous is None or current is None or previous.version == current.version:
            raise ZhipaiError("E5103")
        return self.promote(previous.version)

    def evidence(self, version: Version) -> Path:
        """The folder of what the run kept beside the model; it may lack files that an older software did not write."""
        with self._mlflow() as mlflow:
            run = self._client(mlflow).get_model_version(MODEL, version.version).run_id
        return self.store / "artifacts" / str(run) / "artifacts"

    def get(self, wanted: str) -> Version:
        """The version with this number or alias; E5102."""
        for version in self.list():
            if wanted == version.version or wanted in version.aliases:
                return version
        raise ZhipaiError("E5102", {"wanted": str(wanted)[:40]})

    def list(self) -> list[Version]:
        """All whole versions, the newest first."""
        if not (self.store / DATABASE).is_file():
            return []
        with self._mlflow() as mlflow:
            client = self._client(mlflow)
            found = client.search_model_versions(f"name = '{MODEL}'", max_results=1000)
            if not found:
                return []
            names: dict[str, list[str]] = {}
            for alias, number in client.get_registered_model(MODEL).aliases.items():
                names.setdefault(str(number), []).append(alias)
        whole = [one for one in found if PATH in one.tags]
        versions = [
            Version(
                str(one.version),
                self.store / one.tags[PATH],
                one.tags[MODEL_ID],
                tuple(sorted(names.get(str(one.version), ()))),
            )
            for one in whole
        ]
        return sorted(versions, key=lambda version: -int(version.version))

    def _log(
        self,
        mlflow: Any,
        client: Any,
        run: Any,
        folder: Path,
        model_id: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        card: str,
        files: Path | None,
    ) -> str:
        """All steps of a registration in order; the number of the new version."""
        run_id = run.info.run_id
        for name, value in params.items():
            client.log_param(run_id, name, value)
        for name, figure in metrics.items():
            client.log_metric(run_id, name, float(figure))
        if card:
            client.log_text(run_id, card, "model_card.md")
        if files is not None:
            client.log_artifacts(run_id, str(files))
        signature, example = _signature()
        with mlflow.start_run(run_id=run_id):
            info = mlflow.pyfunc.log_model(
                name="ranker",
                python_model=str(CODE),
                artifacts={"ranker": str(folder)},
                signature=signature,
                input_example=example,
                pip_requirements=[],
                metadata={"model_id": model_id},
            )
        if not client.search_registered_models(f"name = '{MODEL}'"):
            client.create_registered_model(MODEL)
        made = client.create_model_version(
            MODEL,
            source=info.model_uri,
            run_id=run_id,
            model_id=info.model_id,
            tags={**tags, MODEL_ID: model_id},
            description=card or None,
        )
        place = Path("artifacts") / "models" / info.model_id / "artifacts" / "artifacts" / folder.name
        # The copy is what will serve: it is checked here, and the tag that makes it visible comes last.
        if verify(self.store / place) != model_id:
            raise ZhipaiError("E2202", {"name": "manifest.json", "problem": "与保存时不一致"})
        client.set_model_version_tag(MODEL, made.version, PATH, place.as_posix())
        return str(made.version)

    def _sweep(self, client: Any, experiment: str) -> None:
        """Remove what a killed registration left."""
        for run in client.search_runs([experiment], filter_string=f"tags.`{STATE}` = '{OPEN}'"):
            self._discard(client, run.info.run_id)

    def _discard(self, client: Any, run_id: str) -> None:
        """Remove the version, the copied files and the mark of a run that did not get to its end."""
        for version in client.search_model_versions(f"run_id = '{run_id}'"):
            client.delete_model_version(MODEL, version.version)
        experiment = client.get_run(run_id).info.experiment_id
        for model in client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'"):
            shutil.rmtree(self.store / "artifacts" / "models" / model.model_id, ignore_errors=True)
            client.delete_logged_model(model.model_id)
        client.set_tag(run_id, STATE, "failed")
        client.set_terminated(run_id, status="FAILED")

    def _experiment(self, client: Any) -> str:
        # MLflow keeps the absolute place of an experiment's files. A store that was moved or copied needs an experiment
        # of its own, or its next model would be written to where the store used to be.
        location = (self.store / "artifacts").as_uri()
        moved = f"{EXPERIMENT}-{hashlib.sha256(location.encode()).hexdigest()[:8]}"
        for name in (EXPERIMENT, moved):
            found = client.get_experiment_by_name(name)
            if found is None:
                return str(client.create_experiment(name, artifact_location=location))
            if found.artifact_location == location:
                break
        return str(found.experiment_id)

    def _client(self, mlflow: Any) -> Any:
        return mlflow.MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @contextmanager
    def _mlflow(self) -> Iterator[Any]:
        """mlflow, pointed at this store and quiet; what the process had set before is put back."""
        self.store.mkdir(parents=True, exist_ok=True)
        import mlflow

        logging.getLogger("alembic").setLevel(logging.WARNING)
        logger = logging.getLogger("mlflow")
        level, tracking, models = logger.level, mlflow.get_tracking_uri(), mlflow.get_registry_uri()
        logger.setLevel(logging.ERROR)
        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield mlflow
        finally:
            mlflow.set_tracking_uri(tracking)
            mlflow.set_registry_uri(models)
            logger.setLevel(level)


def _signature() -> tuple[Any, Any]:
    """What the registered model takes and gives, and an invented order as the example."""
    import pandas as pd  # type: ignore[import-untyped]
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = Schema(
        [ColSpec("string", name) for name in ("text", "as_of", "district", "street")]
        + [ColSpec("string", name, required=False) for name in FIELDS]
    )
    outputs = Schema(
        [
            ColSpec("long", "order"),
            ColSpec("string", "unit"),
            ColSpec("double", "probability"),
            ColSpec("boolean", "abstained"),
        ]
    )
    example = pd.DataFrame(
        {"text": ["小区停水两天没有人来修"], "as_of": ["2026-05-01T09:30:00+08:00"], "district": [""], "street": [""]}
    )
    return ModelSignature(inputs=inputs, outputs=outputs), example
