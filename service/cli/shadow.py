"""``zhipai rules shadow``: what the shadow pack of the running service says otherwise."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rules.backtest_report import STATE_NAMES
from service.cli.common import JSON_OPTION, print_json
from service.settings import settings
from service.shadow import read_summary


def add_to(rules: typer.Typer) -> None:
    rules.command("shadow", help="影子规则包（ZHIPAI_SHADOW_PACK）与现行规则在真实工单上有什么不同。")(shadow)


def shadow(as_json: bool = JSON_OPTION) -> None:
    config = settings()
    found = read_summary(config.home)
    if as_json:
        print_json({"shadow": config.shadow_pack, "comparisons": found})
        return
    console = Console()
    if not found:
        console.print(
            "还没有比较过。设置 ZHIPAI_SHADOW_PACK=规则包 后启动服务，每条建议作出之后会用它再判断一次，不影响建议。"
        )
    for row in found:
        table = Table(title=f"影子 {row['shadow']}　现行 {row['live']}", title_justify="left")
        for head in ("规则", "名称", "条款", "现行", "影子", "工单", "例（建议编号）"):
            table.add_column(head, overflow="fold", justify="right" if head == "工单" else "left")
        for rule in row["rules"]:
            table.add_row(
                rule["rule"],
                Text(rule["title"]),
                rule["clause"],
                STATE_NAMES[rule["live"]],
                STATE_NAMES[rule["shadow"]],
                f"{rule['orders']:,}",
                "\n".join(rule["proposals"][:2]),
            )
        console.print(table)
        console.print(
            f"比较 {row['compared']:,} 条，说法不同 {row['differing']:,} 条；来不及比较 {row['dropped']:,} 条，"
            f"没有比成 {row['failed']:,} 条；{row['first'] or '—'} 至 {row['last'] or '—'}"
        )
