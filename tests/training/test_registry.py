from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from zhipai_tests_ranking import AS_OF, City, fit

from intake.errors import ZhipaiError
from models.ranker import UnitRanker
from training.champion import MODEL, champion
from training.registry import PREVIOUS, Registry

FIGURES = {"params": {"seed": 0}, "metrics": {"top1": 0.7}, "tags": {"source": "虚构"}}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, made once: that takes seconds."""
    store = tmp_path_factory.mktemp("mlflow")
    registry = Registry(store)
    with registry._mlflow() as library:
        registry._client(library).search_experiments()
    return store / "mlflow.db"


@pytest.fixture
def registry(empty_database: Path, tmp_path: Path) -> Registry:
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(empty_database, store / "mlflow.db")
    return Registry(store)


@pytest.fixture(scope="session")
def other(history: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second artifact, trained with another seed."""
    folder = tmp_path_factory.mktemp("other") / "ranker"
    fit(history, seed=1).save(folder)
    return folder


def test_a_version_is_listed_and_serves_only_after_it_is_promoted(registry: Registry, saved: Path) -> None:
    version = registry.register(saved, **FIGURES)
    assert registry.list() == [version] and version.aliases == ()
    assert champion(registry.store) is None
    promoted = registry.promote(version.version)
    assert promoted.aliases == ("champion",)
    found = champion(registry.store)
    assert found == promoted == registry.get("champion")
    assert found.model_id == UnitRanker.load(found.path).model_id


def test_promote_and_roll_back_agree_with_what_mlflow_says(registry: Registry, saved: Path, other: Path) -> None:
    """The one query of serving and MLflow's own client answer alike, at each step."""
    first, second = registry.register(saved, **FIGURES), registry.register(other, **FIGURES)
    uri = f"sqlite:///{registry.store / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    def check(expected: str) -> None:
        theirs = client.get_model_version_by_alias(MODEL, "champion")
        ours = champion(registry.store)
        assert str(theirs.version) == ours.version == expected
        assert theirs.tags["zhipai.model_id"] == ours.model_id

    registry.promote(first.version)
    check(first.version)
    with pytest.raises(ZhipaiError) as error:
        registry.rollback()
    assert error.value.code == "E5103"
    registry.promote(second.version)
    check(second.version)
    assert champion(registry.store, alias=PREVIOUS).version == first.version
    registry.promote(second.version)
    assert registry.rollback().version == first.version
    check(first.version)
    assert [one.version for one in registry.list()] == [second.version, first.version]


@pytest.mark.parametrize("wanted", ["7", "champion", "nonsense"])
def test_an_unknown_version_is_refused(registry: Registry, wanted: str) -> None:
    for call in (registry.get, registry.promote):
        with pytest.raises(ZhipaiError) as error:
            call(wanted)
        assert error.value.code == "E5102" and wanted in error.value.message


STEPS = (
    "log_param",
    "log_metric",
    "log_text",
    "create_registered_model",
    "create_model_version",
    "set_model_version_tag",
)


@pytest.mark.parametrize("step", [*STEPS, "log_model"])
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_an_interrupted_registration_leaves_no_version_and_a_clean_retry(
    registry: Registry, saved: Path, monkeypatch: pytest.MonkeyPatch, step: str, how: str
) -> None:
    """Stopped: Ctrl-C, the code cleans up. Killed: no code runs after the step; the next registration cleans up."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "log_model":
            patch.setattr(mlflow.pyfunc, "log_model", interrupt)
        else:
            patch.setattr(mlflow.MlflowClient, step, interrupt)
        if how == "killed":
            patch.setattr(Registry, "_discard", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            registry.register(saved, card="# 卡片", **FIGURES)
    assert registry.list() == [] and champion(registry.store) is None
    version = registry.register(saved, card="# 卡片", **FIGURES)
    assert registry.list() == [version]
    assert UnitRanker.load(version.path).model_id == version.model_id
    copies = list((registry.store / "artifacts" / "models").iterdir())
    assert len(copies) == 1, "the interrupted copy is gone"


def test_a_damaged_artifact_is_not_registered(registry: Registry, saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ranker"
    shutil.copytree(saved, folder)
    extra = folder / "extra.npy"
    extra.write_bytes(b"")
    with pytest.raises(ZhipaiError, match=r"extra\.npy") as error:
        registry.register(folder, **FIGURES)
    assert error.value.code == "E2202"
    extra.unlink()
    (folder / "idf.npy").write_bytes(b"")
    with pytest.raises(ZhipaiError, match=r"idf\.npy") as error:
        registry.register(folder, **FIGURES)
    assert error.value.code == "E2202" and registry.list() == []


def test_a_version_that_serving_would_refuse_is_not_put_in_force(registry: Registry, saved: Path, other: Path) -> None:
    first, second = registry.register(saved, **FIGURES), registry.register(other, **FIGURES)
    registry.promote(first.version)
    (second.path / "idf.npy").unlink()
    with pytest.raises(ZhipaiError) as error:
        registry.promote(second.version)
    assert error.value.code == "E2202" and "idf.npy" in error.value.message
    assert champion(registry.store) == registry.get(first.version)


def test_figures_and_card_stand_in_mlflow_and_nothing_is_pickled(registry: Registry, saved: Path) -> None:
    version = registry.register(saved, card="# 模型卡片", **FIGURES)
    uri = f"sqlite:///{registry.store / 'mlflow.db'}"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    logged = client.get_model_version(MODEL, version.version)
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "0"} and run.data.metrics == {"top1": 0.7} and run.data.tags["source"] == "虚构"
    assert logged.description == "# 模型卡片"
    files = [path for path in registry.store.rglob("*") if path.is_file()]
    assert any(path.name == "model_card.md" for path in files)
    assert any(path.name == "input_example.json" for path in files)
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".cloudpickle"}]


def test_the_registered_model_runs_in_mlflow(
    registry: Registry, history: City, encoder_folder: Path, encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(history, encoder=encoder).save(tmp_path / "ranker")
    version = registry.register(tmp_path / "ranker", **FIGURES)
    monkeypatch.setenv("ZHIPAI_ENCODER", str(encoder_folder))
    model = mlflow.pyfunc.load_model(str(version.path.parents[1]))
    answer = model.predict(
        pd.DataFrame(
            {
                "text": ["家里停水两天了", "公交卡刷两次扣钱"],
                "as_of": [AS_OF.isoformat()] * 2,
                "district": ["", ""],
                "street": ["", ""],
            }
        )
    )
    first = answer[answer.groupby("order").cumcount() == 0]
    assert first["unit"].tolist() == ["市供水集团", "市公交集团"]


def test_a_store_that_was_moved_still_serves(registry: Registry, saved: Path, tmp_path: Path) -> None:
    registry.promote(registry.register(saved, **FIGURES).version)
    moved = registry.store.rename(tmp_path / "elsewhere")
    found = champion(moved)
    assert found is not None and found.path.is_relative_to(moved)
    assert UnitRanker.load(found.path).model_id == found.model_id


def test_no_store_and_an_empty_store_have_no_champion(registry: Registry, tmp_path: Path) -> None:
    assert champion(tmp_path / "nowhere") is None and not (tmp_path / "nowhere").exists()
    assert champion(registry.store) is None
    (tmp_path / "mlflow.db").touch()
    assert champion(tmp_path) is None


def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a database at all, " * 100)
    with pytest.raises(ZhipaiError) as error:
        champion(tmp_path)
    assert error.value.code == "E5101"


def test_the_champion_is_found_after_a_writer_was_killed_within_a_transaction(registry: Registry, saved: Path) -> None:
    """The writer's pages are in the file already; only its journal says that they do not count."""
    version = registry.promote(registry.register(saved, **FIGURES).version)
    database = registry.store / "mlflow.db"
    code = (
        "import os, sqlite3\n"
        f"connection = sqlite3.connect({str(database)!r}, isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 5'); connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('DELETE FROM registered_model_aliases')\n"
        "connection.execute('CREATE TABLE spill (text TEXT)')\n"
        "connection.executemany('INSERT INTO spill VALUES (?)', [('x' * 500,)] * 5000)\n"
        "os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert database.with_name("mlflow.db-journal").stat().st_size > 0
    assert champion(registry.store) == version


def test_serving_asks_for_the_champion_without_mlflow(registry: Registry, saved: Path) -> None:
    registry.promote(registry.register(saved, **FIGURES).version)
    code = (
        "import sys; from pathlib import Path; from training.registry import Registry, champion\n"
        f"assert champion(Path({str(registry.store)!r})) is not None\n"
        "print(sorted({'mlflow', 'pandas', 'sqlalchemy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_the_registry_is_quiet_and_sends_nothing(empty_database: Path, saved: Path, tmp_path: Path) -> None:
    """In a process of its own, from an empty folder: nothing on the terminal, telemetry off."""
    code = (
        "from pathlib import Path; from training.registry import Registry\n"
        f"registry = Registry(Path({str(tmp_path / 'store')!r}))\n"
        f"registry.promote(registry.register(Path({str(saved)!r}), params={{}}, metrics={{}}, tags={{}}).version)\n"
        "from mlflow.telemetry.client import get_telemetry_client; print(get_telemetry_client())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DO_NOT"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "None" and done.stderr == ""


def test_what_a_run_keeps_beside_the_model_is_found_even_after_a_move(
    registry: Registry, saved: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    (files / "plots").mkdir(parents=True)
    (files / "plots" / "x.svg").write_text("<svg/>", encoding="utf-8")
    registry.register(saved, files=files, **FIGURES)
    moved = Registry(registry.store.rename(tmp_path / "elsewhere"))
    assert (moved.evidence(moved.get("1")) / "plots" / "x.svg").read_text(encoding="utf-8") == "<svg/>"
