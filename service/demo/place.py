"""Where the demo stands: a data folder of its own, marked, and never somebody's real one."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select

from intake.errors import ZhipaiError, register
from models.encoder import Encoder
from models.encoder_build import build_encoder, is_current
from models.progress import Progress
from service.db.engine import make_engine, reading
from service.db.tables import DECISIONS
from service.settings import Settings, load_settings

register(
    "E7961",
    "这不是演示用的文件夹",
    "“{folder}”里已有{what}，又不是演示数据建的，没有动它。请用 --home 另指一个空文件夹。",
    status=409,
    exit_code=3,
)
register(
    "E7962",
    "设置里有真实的去处",
    "设置里填了 {names}：演示数据不写进那里，也不从那里发通知。请在这个终端里去掉它（及 .env 里的同名行）再运行 make demo。",
    exit_code=3,
)
register("E7963", "演示的日期不对", "--until {until} 不是日期，或还没有到。请写今天或以前的日期，如 2026-10-31。")

MARK = "demo.json"
#: Settings by which a demo would write to, or send to, something that is not its own.
OUTSIDE = ("database_url", "outbox_targets", "checkpoint_folder", "rule_overrides")


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to build.

    Parameters
    ----------
    end : datetime
        Where the month ends; nothing happens later. Aware.
    orders : int
        Orders that are filed.
    train : int
        Orders that the second model is trained on; the first gets 60 % of them. None of them is filed.
    days : int
    seed : int
    """

    end: datetime
    orders: int = 800
    train: int = 2400
    days: int = 30
    seed: int = 12345


def environment(home: Path) -> dict[str, str]:
    """The environment in which any command works on the demo."""
    return {
        "ZHIPAI_HOME": str(home),
        "ZHIPAI_MLRUNS": str(home / "mlruns"),
        "ZHIPAI_CITY": str(home / "city"),
    }


def settings_of(home: Path) -> Settings:
    """The settings of the demo in a folder. The encoder is linked, the city copied, the models are its own."""
    return load_settings(home=home, mlruns=home / "mlruns", city=home / "city")


def check_outside(settings: Settings) -> None:
    """E7962 if something real is set that a demo would reach."""
    names = [f"ZHIPAI_{name.upper()}" for name in OUTSIDE if getattr(settings, name)]
    if names:
        raise ZhipaiError("E7962", {"names": "、".join(names)})


def read_mark(home: Path) -> dict[str, Any] | None:
    """What was built in a folder: plan, counts, and whether it was finished; None where it is no demo."""
    try:
        found = json.loads((home / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_mark(home: Path, plan: DemoPlan, **more: Any) -> None:
    part = home / f".{MARK}.part"
    told = {**asdict(plan), "end": plan.end.isoformat(), **more}
    part.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(home / MARK)


def make_place(home: Path, base: Settings, plan: DemoPlan, *, progress: Progress) -> Settings:
    """An empty demo folder: what a demo left there before is removed, anything else is refused (E7961).

    Parameters
    ----------
    base : Settings
        Those of this installation: its encoder is used (built first if there is none), and its city.
    """
    if read_mark(home) is not None:
        shutil.rmtree(home)
    elif home.exists() and any(home.iterdir()):
        raise ZhipaiError("E7961", {"folder": home.name, "what": _what_is_there(home)})
    home.mkdir(parents=True, exist_ok=True)
    write_mark(home, plan, finished=False)
    if base.encoder is not None:
        Encoder.load(base.encoder)
    elif not is_current(base.encoder_folder):
        build_encoder(base.encoder_folder, progress=progress)
    if base.encoder is None:
        (home / "encoder").symlink_to(base.encoder_folder.resolve())
    (home / "city").mkdir()
    for name in ("units.yaml", "gazetteer.yaml", "matters.yaml", "knowledge.jsonl"):
        shutil.copyfile(base.city / name, home / "city" / name)
    return settings_of(home)


def _what_is_there(home: Path) -> str:
    file = home / "zhipai.db"
    if not file.is_file():
        return "别的文件"
    engine = make_engine(f"sqlite:///{file}")
    try:
        if not inspect(engine).has_table(DECISIONS.name):
            return "别的数据库"
        with reading(engine) as connection:
            decided = connection.execute(select(DECISIONS.c.sequence).limit(1)).first() is not None
        return "决定记录" if decided else "智派的数据库"
    finally:
        engine.dispose()
