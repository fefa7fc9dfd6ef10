"""``zhipai audit list | show | export | stats``."""

from __future__ import annotations

import json
from itertools import chain, islice
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from intake.errors import ZhipaiError, register
from service.audit_export import FORMATS, stream, write_file
from service.audit_facts_check import differing
from service.audit_query import AuditFilter, newest_first, rows_of
from service.audit_stats import decision_stats
from service.cli.common import JSON_OPTION, existing, parse_instant, print_json, result_file
from service.db.engine import check_version, make_engine
from service.decisions import read_decision
from service.feedback import read_returns
from service.settings import Settings, settings

register("E7905", "条件的写法不对", "{option} 只能写 {allowed}，不认识“{value}”。")
register(
    "E7906",
    "要点与记录不符",
    "有 {count}决定的要点与记录不符，查询和统计不可信。以记录为准：先运行 zhipai audit verify，再从备份恢复。",
    exit_code=4,
)
#: Differences that are listed.
MOST = 1000

SINCE = typer.Option("", "--since", help="从这一刻起，带时区。")
UNTIL = typer.Option("", "--until", help="到这一刻为止（不含），带时区。")
KIND = typer.Option("", "--kind", help="类别：dispatch 派单、case 事项、rule_publication 规则发布……")
UNIT = typer.Option("", "--unit", help="派给的单位。")
ACTOR = typer.Option("", "--actor", help="经办人。")
ORDER = typer.Option("", "--order", help="工单编号。")
MODEL = typer.Option("", "--model", help="给出建议的模型的编号。")
GATE = typer.Option("", "--gate", help="关口；与 --rule、--state 说的是同一条判定。")
RULE = typer.Option("", "--rule", help="规则编号。")
STATE = typer.Option("", "--state", help="判定：hit、pass、not_evaluated。")
OVERRIDE = typer.Option(None, "--override/--no-override", help="只看改派；或只看采纳。")
ABSTAINED = typer.Option(None, "--abstained/--no-abstained", help="只看模型弃权的；或没有弃权的。")
BY = typer.Option([], "--by", help="按什么分组：unit 单位、model 模型、week 周；可写两次。")
RETURNS = typer.Option(None, "--returns", help="别的系统导出的退单（.csv），列与 zhipai labels feedback 相同。")
RATES = {"override": "改派率", "agreement": "一致率", "abstention": "弃权率", "returned": "退单率"}
DIMENSIONS = {"unit": "单位", "model": "模型", "week": "周（周一）"}


def add_to(audit: typer.Typer) -> None:
    audit.command("list", help="按条件查决定日志，新的在前。")(listed)
    audit.command("show", help="看一条决定的原样记录。")(show)
    audit.command("export", help="导出决定日志：.csv .xlsx .jsonl；写完才出现文件。")(export)
    audit.command("check-rows", help="核对查询和统计所用的要点与记录是否一致；不一致时退出码为 4。")(check_rows)
    audit.command("stats", help="改派率、一致率、弃权率、退单率，带样本数和区间。")(stats)


def _engine(config: Settings) -> Any:
    engine = make_engine(config.url, busy_seconds=config.busy_seconds)
    check_version(engine)
    return engine


def _wanted(
    since: str, until: str, kind: str, unit: str, actor: str, order: str, model: str,
    gate: str, rule: str, state: str, override: bool | None, abstained: bool | None,
) -> AuditFilter:  # fmt: skip
    return AuditFilter(
        since=parse_instant(since) if since else None,
        until=parse_instant(until) if until else None,
        kind=kind, unit=unit, actor=actor, order_id=order, model=model,
        gate=gate, rule=rule, state=state, override=override, abstained=abstained,
    )  # fmt: skip


def listed(
    since: str = SINCE, until: str = UNTIL, kind: str = KIND, unit: str = UNIT, actor: str = ACTOR, order: str = ORDER,
    model: str = MODEL, gate: str = GATE, rule: str = RULE, state: str = STATE, override: bool | None = OVERRIDE,
    abstained: bool | None = ABSTAINED,
    before: int | None = typer.Option(None, "--before", min=1, help="只看序号比它小的：上一页末尾说的那个数。"),
    limit: int = typer.Option(20, "--limit", min=1, max=500, help="一页几条。"),
    as_json: bool = JSON_OPTION,
) -> None:  # fmt: skip
    config = settings()
    meant = _wanted(since, until, kind, unit, actor, order, model, gate, rule, state, override, abstained)
    found, following = newest_first(_engine(config), meant, before=before, limit=limit, zone=config.time_zone)
    for row in found:
        row.pop("record", None)
    if as_json:
        print_json({"decisions": found, "next": following})
        return
    table = Table(title="决定日志", title_justify="left")
    for head in ("序号", "时刻", "类别", "经办人", "工单", "动作", "单位", "命中", "决定编号"):
        table.add_column(head, overflow="fold", justify="right" if head == "序号" else "left")
    for row in found:
        cells = (row["at"][:19], row["kind"], row["actor"], row["order_id"], row["action"], row["unit"])
        more = ("、".join(row["hits"]), row["decision_id"])
        table.add_row(str(row["sequence"]), *(Text(cell) for cell in (*cells, *more)))
    console = Console()
    console.print(table if found else "没有符合条件的决定。")
    if following:
        console.print(f"还有更早的：加 --before {following}")


def show(
    decision_id: str = typer.Argument(..., help="决定编号（d-…）"),
    as_json: bool = typer.Option(False, "--json", help="原样输出记录的字节，不换行排版。"),
) -> None:
    content = read_decision(_engine(settings()), decision_id)
    typer.echo(content if as_json else json.dumps(json.loads(content), ensure_ascii=False, indent=2))


def export(
    out: Path = typer.Option(..., "--out", help="结果：.csv .xlsx .jsonl"),
    form: str = typer.Option("", "--format", help="csv、xlsx、jsonl、records（原样记录）；不填看 --out 的后缀。"),
    since: str = SINCE, until: str = UNTIL, kind: str = KIND, unit: str = UNIT, actor: str = ACTOR, order: str = ORDER,
    model: str = MODEL, gate: str = GATE, rule: str = RULE, state: str = STATE, override: bool | None = OVERRIDE,
    abstained: bool | None = ABSTAINED, as_json: bool = JSON_OPTION,
) -> None:  # fmt: skip
    form = form or out.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise ZhipaiError("E7903", {"format": form[:20]})
    config = settings()
    result_file(out)
    meant = _wanted(since, until, kind, unit, actor, order, model, gate, rule, state, override, abstained)
    rows, written = rows_of(_engine(config), meant, zone=config.time_zone, record=form == "records"), 0

    def counted() -> Any:
        nonlocal written
        for row in rows:
            written += 1
            yield row

    size = write_file(stream(counted(), form), out)
    if as_json:
        print_json({"rows": written, "bytes": size, "out": str(out), "filter": meant.given()})
        return
    typer.echo(f"导出 {written:,} 条决定，{size:,} 字节：{out}")


def check_rows(as_json: bool = JSON_OPTION) -> None:
    found = list(islice(differing(_engine(settings())), MOST))
    if as_json:
        print_json({"differing": found})
    for row in () if as_json else found:
        typer.echo(f"序号 {row['sequence']}　{row['decision_id']}　与记录不符：{'、'.join(row['differs'])}")
    if found:
        raise ZhipaiError("E7906", {"count": f"{len(found)}{' 条以上' if len(found) == MOST else ' 条'}"})
    if not as_json:
        typer.echo("查询和统计所用的要点与每一条记录一致。记录本身用 zhipai audit verify 验证。")


def stats(
    by: list[str] = BY,
    returns: Path | None = RETURNS,
    since: str = SINCE, until: str = UNTIL, kind: str = KIND, unit: str = UNIT, actor: str = ACTOR, order: str = ORDER,
    model: str = MODEL, gate: str = GATE, rule: str = RULE, state: str = STATE, override: bool | None = OVERRIDE,
    abstained: bool | None = ABSTAINED, as_json: bool = JSON_OPTION,
) -> None:  # fmt: skip
    config = settings()
    meant = _wanted(since, until, kind, unit, actor, order, model, gate, rule, state, override, abstained)
    sent_back = list(read_returns(existing(returns), time_zone=config.time_zone)) if returns else []
    found = decision_stats(_engine(config), meant, by=by, returns=sent_back)
    if as_json:
        print_json(found)
        return
    table = Table(title="决定日志里的比率（括号内为 95% 区间）", title_justify="left")
    for head in chain((DIMENSIONS[name] for name in by), ("派单", *RATES.values())):
        table.add_column(head, overflow="fold", justify="left" if head in DIMENSIONS.values() else "right")
    for group in found["groups"]:
        names = [Text(group.get(name) or ("合计" if name not in group else "（无）")) for name in by]
        table.add_row(*names, f"{group['dispatches']:,}", *(_shown(group[name]) for name in RATES))
    console = Console()
    console.print(table)
    console.print("* 样本不足 30，只作参考。一致率的分母是有推荐单位的派单。")
    if not found["returns_known"]:
        console.print("没有退单数据：日志里没有退单事项，也没有用 --returns 给出文件，所以不写退单率。")


def _shown(rate: dict[str, Any] | None) -> str:
    if rate is None or rate["rate"] is None:
        return "—"
    mark = "*" if rate["few"] else ""
    return f"{rate['rate']:.1%}{mark} ({rate['low']:.1%}–{rate['high']:.1%}) {rate['k']:,}/{rate['n']:,}"
