"""``zhipai compare | promote | rollback``."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from intake.errors import ZhipaiError, register
from intake.mapping import Mapping
from service import clock
from service.cli.common import JSON_OPTION, existing, print_json
from service.cli.progress import steps
from service.model_compare import compare_on_file, compare_stored
from service.model_life import Mover, promote_version, rollback_version
from service.model_shadow import read_summary
from service.settings import settings
from service.training import load_encoder
from training.compare import NAMES, Comparison

register(
    "E7701",
    "缺少要比较的模型",
    "请写出两个模型：zhipai compare A B（别名、版本号或文件夹），或用 --shadow 看影子模型。",
)
register("E7702", "缺少列对应关系", "用 --orders 比较时请用 --mapping 给出列对应关系。")

WHO = typer.Option("", "--who", help="谁作的决定；不填为系统用户名。")
REASON = typer.Option("", "--reason", help="理由，记入决定日志。")
STATES = {True: "通过", False: "不通过", None: "未比较"}


def add_to(app: typer.Typer) -> None:
    app.command("compare", help="在同一批没有见过的工单上比较两个模型，给出差距和区间。")(compare)
    app.command("promote", help="检查一个已登记的版本，通过后上线，并记入决定日志。")(promote)
    app.command("rollback", help="退回上一个上线的版本，并记入决定日志。")(rollback)


def compare(
    a: str = typer.Argument("", help="别名（champion、challenger）、版本号或模型文件夹"),
    b: str = typer.Argument("", help="同上"),
    orders: Path | None = typer.Option(None, "--orders", help="在这份工单上比较；不填用登记时冻结的测试集。"),
    mapping: Path | None = typer.Option(None, "--mapping", help="--orders 的列对应关系（YAML）"),
    shadow: bool = typer.Option(False, "--shadow", help="看影子模型（ZHIPAI_SHADOW_MODEL）与现行模型的不同。"),
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    if shadow:
        _shadow(read_summary(config.home), as_json)
        return
    if not a or not b:
        raise ZhipaiError("E7701")
    with steps(quiet=as_json) as progress:
        if orders is None:
            found = compare_stored(config, a, b)
        elif mapping is None:
            raise ZhipaiError("E7702")
        else:
            columns = Mapping.from_file(existing(mapping))
            at = clock.now(config.time_zone)
            found = compare_on_file(config, a, b, existing(orders), columns, at=at, progress=progress)
    if as_json:
        print_json({"a": a, "b": b, **found.as_dict()})
    else:
        _show(a, b, found)


def _show(a: str, b: str, found: Comparison) -> None:
    table = Table(title=f"{b} 减 {a}，{found.n} 条", title_justify="left")
    for heading in ("指标", a, b, "相差", "95% 区间", ""):
        table.add_column(heading)
    for one in found.differences:
        table.add_row(
            NAMES[one.measure],
            f"{one.a:.3f}",
            f"{one.b:.3f}",
            f"{one.difference:+.3f}",
            f"{one.low:+.3f} 至 {one.high:+.3f}",
            "变差" if one.worse else "变好" if one.better else "",
        )
    Console().print(table)
    typer.echo(f"首选不同 {found.disagreements} 条，其中 {a} 对 {found.a_right} 条，{b} 对 {found.b_right} 条。")
    for pair in found.pairs:
        typer.echo(f"  {pair['a']} → {pair['b']}：{pair['orders']} 条")


def _shadow(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"comparisons": found})
        return
    if not found:
        typer.echo(
            "还没有比较过。设置 ZHIPAI_SHADOW_MODEL=challenger 后启动服务，每条建议作出之后会由它再排一次，只计数。"
        )
    for row in found:
        typer.echo(
            f"影子 {row['shadow']}　现行 {row['live']}：比较 {row['compared']:,} 条，首选不同 {row['differing']:,} 条，"
            f"疑难判断不同 {row['abstained']:,} 条；来不及比较 {row['dropped']:,} 条，没有比成 {row['failed']:,} 条；"
            f"{row['first'] or '—'} 至 {row['last'] or '—'}"
        )
        for pair in row["pairs"][:20]:
            typer.echo(
                f"  {pair['live']} → {pair['shadow']}：{pair['orders']:,} 条，例 {'、'.join(pair['proposals'][:2])}"
            )


def promote(
    version: str = typer.Argument(..., help="版本号或别名，见 zhipai models"),
    force: bool = typer.Option(False, "--force", help="不论检查结果都上线，须写 --reason；仅供紧急情况。"),
    who: str = WHO,
    reason: str = REASON,
    as_json: bool = JSON_OPTION,
) -> None:
    config = settings()
    mover = Mover(who or getpass.getuser(), reason, force)
    moved = promote_version(config, version, mover=mover, at=clock.now(config.time_zone), encoder=load_encoder(config))
    if as_json:
        print_json({"promoted": moved.done, **moved.review.as_dict(), "record": moved.record})
    else:
        for check in moved.review.checks:
            typer.echo(f"{STATES[check.passed]}　{check.says}")
    moved.require()
    if not as_json:
        typer.echo(
            f"版本 {moved.version.version}（{moved.version.model_id}）已上线，运行中的服务会自动换上；"
            f"决定 {moved.record['decision_id']}。"
        )


def rollback(who: str = WHO, reason: str = REASON, as_json: bool = JSON_OPTION) -> None:
    config = settings()
    moved = rollback_version(config, mover=Mover(who or getpass.getuser(), reason), at=clock.now(config.time_zone))
    if as_json:
        print_json({"record": moved.record})
        return
    typer.echo(
        f"已退回版本 {moved.version.version}（{moved.version.model_id}），运行中的服务会自动换上；"
        f"决定 {moved.record['decision_id']}。"
    )
