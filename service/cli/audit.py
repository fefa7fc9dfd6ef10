"""``zhipai audit``: prove the decision log, sign checkpoints, hand out proofs and check them."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from intake.errors import ZhipaiError, register
from service import clock
from service.audit.bundle import check_proof, make_bundle, make_consistency, prove_consistency
from service.audit.checkpoint import publish, sign_checkpoint
from service.audit.keys import KeyStore, write_whole
from service.audit.note import Checkpoint, PublicKey, parse_checkpoint
from service.audit.report import KINDS, Report
from service.audit.rotate import rotate_key
from service.audit.tree import establish
from service.audit.verify import verify_log
from service.cli import audit_query, audit_replay
from service.cli.common import JSON_OPTION, existing, print_json
from service.db.engine import check_version, make_engine
from service.settings import Settings, settings

register("E7818", "文件夹不存在", "找不到文件夹“{name}”。请检查路径，或确认共享目录已经挂载。", exit_code=3)
register(
    "E7819",
    "没有可信的公钥",
    "没有公钥，不能核对签名。请用 --key 给出公钥文件（由 zhipai audit key show --out 写出）。",
)

KEY_OPTION = typer.Option([], "--key", help="公钥文件，可给多个；由 zhipai audit key show --out 写出。")

app = typer.Typer(no_args_is_help=True)
key_app = typer.Typer(no_args_is_help=True)
app.add_typer(key_app, name="key", help="签检查点的密钥：查看、导出、更换。")


def _opened() -> tuple[Settings, Engine]:
    """Settings and database, with the log's hash as the settings want it."""
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    establish(engine, hash_name=config.log_hash, origin=config.log_origin, at=clock.now(config.time_zone))
    return config, engine


def _keys(files: list[Path]) -> list[PublicKey]:
    return [
        PublicKey.parse(line, name=file.name)
        for file in files
        for line in existing(file).read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


@app.command("verify", help="验证整份日志：不缺、不改、不换位，与每一个检查点一致。有问题时退出码为 4。")
def verify(
    checkpoints: list[Path] = typer.Option(
        [], "--checkpoints", help="别处保存的检查点的文件夹，可给多个；数据库和设置里的文件夹总会核对。"
    ),
    key: list[Path] = KEY_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    config, engine = _opened()
    for folder in checkpoints:
        if not folder.is_dir():
            raise ZhipaiError("E7818", {"name": folder.name})
    keys = [*KeyStore(config.key_folder).public_keys(), *_keys(key)]
    own = [config.checkpoints] if config.checkpoints.is_dir() else []
    report = verify_log(engine, keys=keys, folders=[*own, *checkpoints])
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report, Console())
    if not report.whole:
        raise typer.Exit(4)


def _show(report: Report, console: Console) -> None:
    console.print(Text(report.sentence(), style="bold"))
    console.print(Text(f"日志 {report.origin}　摘要 {report.hash}　根 {report.root or '算不出'}", style="dim"))
    if not report.problems:
        return
    table = Table(title="问题在哪里", title_justify="left", show_lines=True)
    for name in ("问题", "序号", "决定编号", "说明"):
        table.add_column(name, overflow="fold")
    for one in report.problems:
        place = f"{one.sequence}" if one.last == one.sequence else f"{one.sequence}–{one.last}"
        table.add_row(*(Text(cell) for cell in (KINDS[one.kind], place, one.decision_id, one.says)))
    console.print(table)
    if (total := report.counts.total()) > len(report.problems):
        console.print(Text(f"共 {total} 处，只列出前 {len(report.problems)} 处。"))


@app.command("checkpoint", help="签发一个检查点（日志的名称、条数和根），写到文件夹里。")
def checkpoint(
    out: Path | None = typer.Option(None, "--out", help="写到哪个文件夹；不填为设置里的。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config, engine = _opened()
    signed = sign_checkpoint(engine, config, at=clock.now(config.time_zone))
    path = publish(signed, out or config.checkpoints, KeyStore(config.key_folder))
    if as_json:
        document = {"origin": signed.origin, "size": signed.size, "root": signed.root.hex(), "file": path.name}
        print_json(document | {"key_id": signed.signatures[0][1], "note": signed.note})
        return
    typer.echo(f"已签发 {signed.size} 条的检查点（密钥 {signed.signatures[0][1]}）：{path}")
    typer.echo(signed.note, nl=False)


@app.command("bundle", help="写出一条记录的证明：记录、路径、检查点，别的机器不用数据库就能核对。")
def bundle(
    decision_id: str = typer.Argument(..., metavar="决定编号"),
    out: Path = typer.Option(..., "--out", help="写到哪个文件。"),
) -> None:
    config, engine = _opened()
    content = make_bundle(engine, config, decision_id, at=clock.now(config.time_zone))
    write_whole(out, content)
    typer.echo(f"已写出 {out}（{len(content)} 字节）。核对：zhipai audit check-bundle {out} --key 公钥文件")


@app.command("check-bundle", help="核对 bundle 或 consistency 写出的证明。成立退出码为 0，不成立为 4，文件不对为 2。")
def check_bundle(
    file: Path = typer.Argument(..., metavar="文件"),
    key: list[Path] = KEY_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    keys = _keys(key)
    if not keys:
        raise ZhipaiError("E7819")
    found = check_proof(existing(file).read_bytes(), keys, name=file.name)
    if as_json:
        print_json(found)
    else:
        typer.echo(found["says"])


@app.command("consistency", help="证明前一个检查点的日志是后一个的开头。两处都可写检查点文件或条数。")
def consistency(
    first: str = typer.Argument(..., metavar="前一个"),
    second: str = typer.Argument(..., metavar="后一个"),
    out: Path | None = typer.Option(None, "--out", help="把证明写到文件，供别的机器核对。"),
    key: list[Path] = KEY_OPTION,
    as_json: bool = JSON_OPTION,
) -> None:
    config, engine = _opened()
    keys = [*KeyStore(config.key_folder).public_keys(), *_keys(key)]
    if first.isdecimal() and second.isdecimal():
        content = make_consistency(engine, int(first), int(second))
    else:
        content = prove_consistency(engine, _signed(first, keys), _signed(second, keys))
    if out is not None:
        write_whole(out, content)
    if as_json:
        typer.echo(content.decode())
    else:
        typer.echo(f"一致：后一个检查点的日志以前一个的日志开头，只增未改。{'证明写在 ' + str(out) if out else ''}")


def _signed(file: str, keys: list[PublicKey]) -> Checkpoint:
    path = existing(Path(file))
    found = parse_checkpoint(path.read_text(encoding="utf-8", errors="replace"), name=path.name)
    if found.verify(keys) is None:
        raise ZhipaiError("E7815", {"name": path.name, "problem": "检查点不是已知的密钥签的，或签名与内容不符"})
    return found


@key_app.command("show", help="列出公钥，现在用的在最后；--out 导出给核对的人。")
def key_show(
    out: Path | None = typer.Option(None, "--out", help="把全部公钥写到文件，一行一个。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config, engine = _opened()
    store = KeyStore(config.key_folder)
    at = clock.now(config.time_zone)
    identity = establish(engine, hash_name=config.log_hash, origin=config.log_origin, at=at)
    store.current(identity.origin, at=at)
    entries = store.entries()
    if out is not None:
        write_whole(out, "".join(f"{entry.key.line}\n" for entry in entries).encode())
    if as_json:
        print_json([entry.as_dict() for entry in entries])
        return
    for entry in entries:
        typer.echo(
            f"{entry.key.line}　自 {entry.made_at}{' 到 ' + entry.retired_at if entry.retired_at else ' 起在用'}"
        )


@key_app.command("rotate", help="换一把签名密钥：旧私钥删除，旧公钥保留，换钥匙这件事记入日志。")
def key_rotate(actor: str = typer.Option(..., "--actor", help="谁换的，记入日志。")) -> None:
    config, engine = _opened()
    old, new = rotate_key(engine, config, actor=actor, at=clock.now(config.time_zone))
    before = f"旧密钥 {old.id} 不再签名，它签过的检查点仍可核对。" if old else ""
    typer.echo(f"新密钥 {new.id} 已启用。{before}请运行 zhipai audit checkpoint，并把新公钥交给核对的人：{new.line}")


# Commands of other subjects join the group here, one line each.
audit_query.add_to(app)
audit_replay.add_to(app)
