"""``zhipai orders``: file a whole file of orders into the queue."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.mapping import Mapping
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.cli.progress import steps
from service.db.engine import check_version, make_engine
from service.filing import import_orders
from service.settings import settings
from service.snapshot import load_snapshot

app = typer.Typer(no_args_is_help=True)


@app.command("import", help="把一份工单逐条研判并登记为待派。可重复运行：已登记的不重复登记。")
def import_(
    file: Path = typer.Argument(..., help="工单：.csv .xlsx .jsonl；须有工单编号。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="列对应关系（YAML）；不填按列名猜。"),
    sheet: str = typer.Option("", "--sheet", help="工作表；不填为第一张。"),
    actor: str = typer.Option("import", "--actor", help="谁导入的，记入工单的经过。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    now = clock.now(config.time_zone)
    with steps(quiet=as_json) as progress:
        done = import_orders(
            existing(file),
            engine,
            columns=Mapping.from_file(existing(mapping)) if mapping else None,
            sheet=sheet or None,
            snapshot=load_snapshot(config, engine, as_of=now),
            actor=actor,
            at=now,
            progress=progress,
        )
    if as_json:
        print_json(done.as_dict())
        return
    typer.echo(f"共 {done.rows} 行：登记 {done.filed} 张，已经登记过 {done.repeated} 张，有错误 {done.failed} 行。")
    for problem in done.problems:
        typer.echo(f"  {problem}")
