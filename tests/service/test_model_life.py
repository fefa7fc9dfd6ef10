"""Promotion, rollback, shadow, prediction and evaluation on an invented city, with a database and a store of their own."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

NAME = "zhipai_tests_ranking"
if NAME not in sys.modules:
    spec = spec_from_file_location(NAME, Path(__file__).parents[1] / "plugins" / "ranking.py")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
from zhipai_tests_ranking import AS_OF, City, city_history, fit, quick  # noqa: E402

from intake.errors import ZhipaiError  # noqa: E402
from intake.gazetteer import Gazetteer  # noqa: E402
from intake.mapping import Mapping  # noqa: E402
from intake.order import WorkOrder  # noqa: E402
from models.progress import silent  # noqa: E402
from models.ranker import UnitRanker  # noqa: E402
from models.ranking import RankedUnit, Ranking  # noqa: E402
from service import model_life, training  # noqa: E402
from service.db.engine import make_engine, reading  # noqa: E402
from service.db.migrate import upgrade  # noqa: E402
from service.db.tables import DECISIONS  # noqa: E402
from service.model_compare import load_model  # noqa: E402
from service.model_life import KIND, Mover, promote_version, rollback_version, unrecorded  # noqa: E402
from service.model_shadow import ModelShadow, read_summary  # noqa: E402
from service.predict import predict_file  # noqa: E402
from service.settings import Settings  # noqa: E402
from training.frozen import KeyedAnswers  # noqa: E402
from training.metrics import Answers  # noqa: E402
from training.publish import ANSWERS  # noqa: E402
from training.registry import Registry, champion  # noqa: E402

MOVER = Mover("数据科学家", "新模型")


@pytest.fixture(scope="module")
def city() -> City:
    """Nobody in it has ended without a successor: such a unit stands in the way of any promotion."""
    found = city_history()
    kept = [i for i, unit in enumerate(found.units) if unit != "市热线专席"]
    columns = {
        name: [getattr(found, name)[i] for i in kept] for name in ("texts", "units", "groups", "order_ids", "districts")
    }
    units = [unit for unit in found.directory.units if unit.name != "市热线专席"]
    return City(**columns, directory=type(found.directory)(units))


@pytest.fixture(scope="module")
def ranker(city: City) -> UnitRanker:
    return fit(city)


@pytest.fixture(scope="module")
def artifacts(city: City, ranker: UnitRanker, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two artifacts of equal worth."""
    folders = [tmp_path_factory.mktemp("model") / "ranker" for _ in range(2)]
    ranker.save(folders[0])
    fit(city, seed=1).save(folders[1])
    return folders


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, made once: that takes seconds."""
    registry = Registry(tmp_path_factory.mktemp("mlflow"))
    registry.store.mkdir(exist_ok=True)
    with registry._mlflow() as library:
        registry._client(library).search_experiments()
    return registry.store / "mlflow.db"


@pytest.fixture
def config(empty_store: Path, tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path / "home", mlruns=tmp_path / "store")
    found.home.mkdir()
    found.mlruns.mkdir()
    shutil.copy(empty_store, found.mlruns / "mlflow.db")
    upgrade(make_engine(found.url))
    return found


def answers(share: float, folder: Path) -> Path:
    """A folder with the answers of a model that is right in this share of 300 orders, and knows it."""
    truth = list("ab" * 150)
    first = [unit if i < share * 300 else "ba"["ab".index(unit)] for i, unit in enumerate(truth)]
    rankings = [Ranking((RankedUnit(unit, share, ()),), False, "", (unit,)) for unit in first]
    folder.mkdir(parents=True)
    keyed = KeyedAnswers(tuple(map(str, range(300))), Answers.of(rankings, truth, [""] * 300), "frozen-x")
    keyed.save(folder / ANSWERS)
    return folder


def register(config: Settings, artifact: Path, share: float, tmp_path: Path) -> str:
    files = answers(share, tmp_path / f"answers-{share}-{artifact.parent.name}")
    return Registry(config.mlruns).register(artifact, params={}, metrics={}, tags={}, files=files).version


def promote(config: Settings, version: str, mover: Mover = MOVER) -> model_life.Moved:
    return promote_version(config, version, mover=mover, at=AS_OF, encoder=quick())


def records(config: Settings) -> list[dict]:
    query = select(DECISIONS.c.record).where(DECISIONS.c.kind == KIND).order_by(DECISIONS.c.sequence)
    with reading(make_engine(config.url)) as connection:
        return [json.loads(row.record) for row in connection.execute(query)]


@pytest.fixture(autouse=True)
def _no_stopwatch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two equal models take equal time; how long, is not what is tested here."""
    monkeypatch.setattr("training.promotion._seconds", lambda *_: [1.0, 1.0])


def test_promotion_and_rollback_are_decision_records(config: Settings, artifacts: list[Path], tmp_path: Path) -> None:
    first = register(config, artifacts[0], 0.8, tmp_path)
    second = register(config, artifacts[1], 0.9, tmp_path)
    assert promote(config, first).require().record["replaces"] is None
    moved = promote(config, second).require()
    assert champion(config.mlruns).version == second and unrecorded(config) == ""
    assert moved.record["replaces"]["version"] == first and moved.record["forced"] is False
    kept = records(config)
    assert [one["version"] for one in kept] == [first, second]
    differences = {one["measure"]: one for one in kept[1]["review"]["comparison"]["differences"]}
    assert differences["top1"]["difference"] == pytest.approx(0.1) and kept[1]["review"]["comparison"]["n"] == 300
    rollback_version(config, mover=MOVER, at=AS_OF)
    assert champion(config.mlruns).version == first
    assert records(config)[-1]["action"] == "rollback" and unrecorded(config) == ""


def test_a_worse_model_is_refused_unless_forced_with_a_reason(
    config: Settings, artifacts: list[Path], tmp_path: Path
) -> None:
    good = register(config, artifacts[0], 0.9, tmp_path)
    worse = register(config, artifacts[1], 0.6, tmp_path)
    promote(config, good)
    refused = promote(config, worse)
    assert not refused.done and champion(config.mlruns).version == good and len(records(config)) == 1
    with pytest.raises(ZhipaiError) as error:
        refused.require()
    assert error.value.code == "E5107" and "前 1 命中 0.600，现行 0.900" in error.value.message
    with pytest.raises(ZhipaiError) as error:
        promote(config, worse, Mover("某人", "", force=True))
    assert error.value.code == "E5108"
    forced = promote(config, worse, Mover("某人", "旧版有事故，电话13800138000", force=True))
    assert forced.done and champion(config.mlruns).version == worse
    assert records(config)[-1]["forced"] is True and "13800138000" not in records(config)[-1]["reason"]


def test_no_record_without_the_alias_and_an_alias_without_a_record_is_told(
    config: Settings, artifacts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(config, artifacts[0], 0.9, tmp_path)

    def fails(*_: object, **__: object) -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", fails)
        with pytest.raises(OSError, match="disk"):
            promote(config, version)
    assert records(config) == [] and champion(config.mlruns) is None and unrecorded(config) == ""
    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.engine.Connection.commit", fails)
        with pytest.raises(OSError, match="disk"):
            promote(config, version)
    assert champion(config.mlruns).version == version and records(config) == []
    assert f"zhipai promote {version}" in unrecorded(config)
    promote(config, version)
    assert unrecorded(config) == "" and len(records(config)) == 1


def test_a_model_without_a_frozen_test_is_refused_against_a_champion(
    config: Settings, artifacts: list[Path], tmp_path: Path
) -> None:
    promote(config, register(config, artifacts[0], 0.9, tmp_path))
    bare = Registry(config.mlruns).register(artifacts[1], params={}, metrics={}, tags={}).version
    assert any("没有留下冻结测试的答案" in line for line in promote(config, bare).review.failing)


def proposal(unit: str, number: int) -> SimpleNamespace:
    return SimpleNamespace(
        proposal_id=f"p-{number}",
        units=[{"unit": unit}],
        abstained=False,
        as_of=AS_OF.isoformat(),
        snapshot=SimpleNamespace(model="model-live"),
    )


@pytest.fixture
def shadowed(config: Settings, artifacts: list[Path]) -> Iterator[Settings]:
    registry = Registry(config.mlruns)
    version = registry.register(artifacts[0], params={}, metrics={}, tags={})
    registry.promote(version.version, alias="challenger")
    yield config.model_copy(update={"shadow_model": "challenger"})


def test_a_challenger_ranks_beside_the_service_and_is_only_counted(shadowed: Settings, ranker: UnitRanker) -> None:
    snapshot = SimpleNamespace(encoder=quick(), gazetteer=Gazetteer.empty())
    running = ModelShadow(shadowed)
    running.start()
    order = WorkOrder(text="家里停水两天了", order_id="A1")
    for number, unit in enumerate(("市供水集团", "市公交集团", "市公交集团")):
        running.offer(order, proposal(unit, number), snapshot)  # type: ignore[arg-type]
    running.close()
    (row,) = read_summary(shadowed.home)
    assert (row["live"], row["shadow"], row["compared"], row["differing"]) == ("model-live", ranker.model_id, 3, 2)
    assert row["pairs"] == [{"live": "市公交集团", "shadow": "市供水集团", "orders": 2, "proposals": ["p-1", "p-2"]}]
    assert running.says().startswith("ok")
    written = "".join(path.read_text(encoding="utf-8") for path in (shadowed.home / "model-shadow").iterdir())
    assert "停水" not in written


def test_a_shadow_model_that_is_not_there_is_told_and_harms_nothing(config: Settings) -> None:
    running = ModelShadow(config.model_copy(update={"shadow_model": "nobody"}))
    running.start()
    snapshot = SimpleNamespace(encoder=quick(), gazetteer=Gazetteer.empty())
    running.offer(WorkOrder(text="停水"), proposal("甲", 1), snapshot)  # type: ignore[arg-type]
    running.close()
    assert read_summary(config.home)[0]["failed"] == 1
    assert running.says().startswith("提醒：") and "nobody" in running.says()
    assert ModelShadow(config).says() == ""


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_pickle_offered_as_a_model_is_refused_unopened(config: Settings, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    with pytest.raises(ZhipaiError) as error:
        load_model(config, str(path), quick())
    assert error.value.code == "E7706" and "model.pkl" in error.value.message


MAPPING = Mapping.from_dict({"columns": {"text": "内容", "order_id": "编号"}})


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_prediction_keeps_every_column_and_row_of_the_user(ranker: UnitRanker, tmp_path: Path, suffix: str) -> None:
    rows = [
        {"编号": "1", "内容": "家里停水两天了", "备注": "=1+1", "概率1": "旧"},
        {"编号": "2", "内容": "", "备注": "空的", "概率1": ""},
        {"编号": "3", "内容": "公交司机甩站不停", "备注": "", "概率1": ""},
    ]
    source = write(tmp_path / "orders.csv", rows)
    out = tmp_path / f"result{suffix}"
    found = predict_file(
        ranker, quick(), source, out, mapping=MAPPING, gazetteer=Gazetteer.empty(), as_of=AS_OF, progress=silent
    )
    assert (found.rows, found.done, found.failed) == (3, 2, 1)
    if suffix == ".csv":
        with out.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    else:
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["编号"] for line in lines] == ["1", "2", "3"]
    assert lines[0]["单位1"] == "市供水集团" and lines[2]["单位1"] == "市公交集团"
    assert 0 < float(lines[0]["概率1"]) <= 1 and "E1001" in lines[1]["错误"] and lines[1]["单位1"] == ""
    assert lines[0]["备注"].lstrip("'") == "=1+1"


def test_the_test_file_never_touches_the_training(
    city: City, config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is resolved beside the training file; labels of the test file make no unit."""
    seen: list[UnitRanker] = []
    real = training.measure

    def spy(ranker: UnitRanker, *args: object, **options: object) -> object:
        seen.append(ranker)
        return real(ranker, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "measure", spy)
    monkeypatch.setattr(training, "load_encoder", lambda _: quick())
    rows = [
        {"编号": number, "内容": text, "单位": unit, "组": group}
        for number, text, unit, group in zip(city.order_ids, city.texts, city.units, city.groups, strict=True)
    ]
    source = write(tmp_path / "a" / "A.csv", rows[:150])
    (tmp_path / "a" / "units.json").write_text(city.directory.to_json(), encoding="utf-8")
    mapping = Mapping.from_dict(
        {
            "columns": {"text": "内容", "order_id": "编号", "unit": "单位", "group": "组"},
            "directory": {"file": "units.json"},
        }
    )
    strange = [{"编号": "X", "内容": "外星人来了怎么办", "单位": "外星办", "组": ""}]
    outcomes = [
        training.evaluate_elsewhere(
            config, source, mapping, write(tmp_path / f"b{i}" / "B.csv", part), mapping, at=AS_OF, progress=silent
        )
        for i, part in enumerate((rows[150:], rows[150:170] + strange * 3, strange))
    ]
    folders = []
    for number, ranker in enumerate(seen):
        ranker.save(tmp_path / str(number))
        folders.append({path.name: path.read_bytes() for path in (tmp_path / str(number)).iterdir()})
    assert folders[0] == folders[1] == folders[2]
    assert "外星办" not in seen[1].units
    first, second, third = (outcome.as_dict() for outcome in outcomes)
    assert first["n"] == len(rows) - 150 and second["n"] == 23
    assert third["n"] == 1 and third["top1"] == 0.0 and third["new_units"] == 1
    assert {
        "n", "units", "top1", "top3", "top5", "macro_f1", "ece", "coverage_at_95", "conformal", "intervals",
        "train_seconds", "worst_units",
    } <= set(json.loads(json.dumps(first)))  # fmt: skip
