"""Set up a fresh machine: encoder, database, knowledge, default model. Each step can be repeated and resumes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from knowledge_base import read_entries
from models.artifact import outdated
from models.encoder import Encoder
from models.encoder_build import build_encoder, is_current
from models.encoder_marker import read_marker
from models.progress import Progress
from service.audit.tree import establish
from service.db.engine import make_engine, sqlite_file
from service.db.migrate import upgrade
from service.entries import import_entries
from service.settings import Settings
from service.snapshot import load_knowledge
from service.training import CITY_MAPPING, train_and_register
from training.champion import champion, source_of

register(
    "E7401",
    "磁盘空间不足",
    "“{folder}”所在磁盘只剩 {free} MB，至少需要 {need} MB。请清理后重新运行，已完成的步骤不会重做。",
    exit_code=3,
)
register(
    "E7402",
    "数据文件夹不能写",
    "不能在“{folder}”里写文件。请检查权限，或用环境变量 ZHIPAI_HOME 换一个地方。",
    exit_code=3,
)
register(
    "E7403",
    "默认模型没有上线",
    "默认模型训练好了（版本 {version}），但没有通过上线检查：{reasons}。请用 zhipai models 查看；“{folder}”里的工单太少时，换一份多的再运行。",
    exit_code=3,
)

#: MB that the encoder's build needs for a moment: the fp32 model, its ONNX form and the int8 twin, built aside.
NEED_MB = 1200


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the set-up: what it is, how long it takes on two cores, whether it is done, and how to do it."""

    title: str
    takes: str
    is_done: Callable[[], bool]
    run: Callable[[Progress], None]


def steps(settings: Settings, *, at: datetime) -> list[Step]:
    """The steps in their order. Checks are cheap: a second set-up takes a moment."""
    engine = make_engine(settings.url)

    def encoder_done() -> bool:
        if settings.encoder is None:
            return is_current(settings.encoder_folder)
        try:
            Encoder.load(settings.encoder)
        except ZhipaiError:
            return False
        return True

    def build(progress: Progress) -> None:
        if settings.encoder is not None:
            # The user's own folder is never written to: say what is wrong with it instead.
            Encoder.load(settings.encoder)
            return
        build_encoder(settings.encoder_folder, progress=progress)

    def knowledge(progress: Progress) -> None:
        upgrade(engine)
        establish(engine, hash_name=settings.log_hash, origin=settings.log_origin, at=at)
        import_entries(engine, read_entries(settings.city / "knowledge.jsonl"), at=at)
        load_knowledge(settings, engine, Encoder.load(settings.encoder_folder))

    def knowledge_done() -> bool:
        from service.db.migrate import current_revision, head_revision
        from service.entries import current_entries

        file = sqlite_file(settings.url)
        if file is not None and not file.is_file():
            return False
        return current_revision(engine) == head_revision() and bool(current_entries(engine))

    def model(progress: Progress) -> None:
        orders = settings.city / "orders.jsonl"
        mapping = Mapping.from_file(CITY_MAPPING)
        found = train_and_register(settings, orders, mapping, at=at, promote=True, progress=progress)
        if found.refused:
            reasons = "；".join(found.refused)
            raise ZhipaiError("E7403", {"version": found.version, "reasons": reasons, "folder": settings.city.name})

    def model_done() -> bool:
        found = champion(settings.mlruns)
        # After an update the bundled model is trained anew. A user's own is left to its owner: E2203 says what to do.
        encoder = read_marker(settings.encoder_folder).id if settings.encoder is None else ""
        return found is not None and not (
            outdated(Path(found.path), encoder=encoder)
            and source_of(settings.mlruns, found) == Mapping.from_file(CITY_MAPPING).name
        )

    return [
        Step("构建编码器", "约 30 秒", encoder_done, build),
        Step("建库并导入知识条目", "约 20 秒", knowledge_done, knowledge),
        Step("训练并登记默认模型", "约 3 分钟", model_done, model),
    ]


def check_machine(settings: Settings) -> None:
    """Raise before anything is written if the machine cannot carry the set-up."""
    folder = settings.home
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".write-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ZhipaiError("E7402", {"folder": str(folder)}) from error
    free = shutil.disk_usage(folder).free // 2**20
    if free < NEED_MB and not Path(settings.encoder_folder).is_dir():
        raise ZhipaiError("E7401", {"folder": folder.name, "free": free, "need": NEED_MB})
