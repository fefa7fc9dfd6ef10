"""The report of a backtest as one HTML page: no script, nothing loaded from elsewhere, light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rules.backtest_report import STATE_NAMES

STYLE = Path(__file__).with_name("backtest_page.css")
#: Rows of a chart; the tables below it hold the rest.
TOP = 20
TABLE_ROWS = 300

Row = Mapping[str, Any]


def render_page(report: Row) -> str:
    """The whole page. Every text from a pack or an order is escaped."""
    against = report["against"]
    title = f"规则回测：{report['pack']['title']}"
    body = [
        "<header>",
        f"<h1>{escape(title)}</h1>",
        f"<p class=lead>{escape(_lead(report))}</p>",
        "</header>",
        _tiles(report),
        _rule_chart(report),
        _month_chart(report),
        _value_chart("按单位", "units", report),
        _value_chart("按区", "districts", report),
        _clause_table(report),
        _pair_table(report) if report["compared"] else "",
        _truth_table(report["truths"]),
        _example_list(report["examples"], "号决定" if "log" in report["source"] else "行"),
        _rule_table(report),
        _basis(report, against),
    ]
    return (
        f'<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<style>\n{STYLE.read_text(encoding="utf-8")}</style>\n'
        f"</head>\n<body>\n<main>\n{''.join(part + chr(10) for part in body if part)}</main>\n</body>\n</html>\n"
    )


def _lead(report: Row) -> str:
    """What came out, in two sentences."""
    totals, new = report["totals"], report["pack"]["id"]
    judged = f"共读 {totals['rows']:,} 行，判断 {totals['evaluated']:,} 条工单。"
    said = f"{new} 对其中 {totals['new']:,} 条（{_share(totals['new'], totals['evaluated'])}）有提示"
    if not report["compared"]:
        return f"{judged}{said}，另有 {totals['verify']:,} 条有规则需要核实事实。"
    return (
        f"{judged}{said}；{report['against']['id']} 对 {totals['old']:,} 条有提示。"
        f"换成新的以后，{totals['changed']:,} 条（{_share(totals['changed'], totals['evaluated'])}）的提示会改变："
        f"{totals['gained']:,} 条多出提示，{totals['lost']:,} 条少了提示。"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "—"


def _tiles(report: Row) -> str:
    totals = report["totals"]
    tiles = [("判断的工单", totals["evaluated"], ""), ("新包有提示", totals["new"], "")]
    if report["compared"]:
        tiles += [
            ("对照有提示", totals["old"], ""),
            ("多出提示", totals["gained"], "up"),
            ("少了提示", totals["lost"], "down"),
            ("新增需核实", totals["verify"], ""),
        ]
    else:
        tiles.append(("有规则需核实", totals["verify"], ""))
    cells = "".join(
        f'<div class="tile {kind}"><b>{value:,}</b><span>{name}</span></div>' for name, value, kind in tiles
    )
    return f'<section class=tiles aria-label="总数">{cells}</section>'


def _bars(rows: Iterable[tuple[str, str, Sequence[tuple[str, int, str]]]]) -> str:
    """A bar chart: label, note, and for each series its class, count and words. Bars share one scale."""
    listed = list(rows)
    most = max((count for _, _, series in listed for _, count, _ in series), default=0) or 1
    lines = []
    for label, note, series in listed:
        bars = "".join(
            f'<div class=track><div class="bar {kind if count else ""}" style="width:{100 * count / most:.2f}%"></div>'
            f"<span>{escape(words)}</span></div>"
            for kind, count, words in series
        )
        small = f"<small>{escape(note)}</small>" if note else ""
        lines.append(f"<li><div class=label>{escape(label)}{small}</div><div class=tracks>{bars}</div></li>")
    return f"<ul class=bars>{''.join(lines)}</ul>"


def _section(title: str, note: str, body: str) -> str:
    return f"<section><h2>{title}</h2><p class=note>{escape(note)}</p>{body}</section>"


def _rule_chart(report: Row) -> str:
    if report["compared"]:
        rows = [row for row in report["rules"] if row["gained"] or row["lost"] or row["verify"] > 0][:TOP]
        if not rows:
            return _section("按规则", "没有一条规则的命中发生变化。", "")
        chart = _bars(
            (
                row["title"],
                f"{row['rule']}　{row['gate']}　{row['effect']}　{_only(row)}",
                [
                    (kind, row[key], f"{sign}{row[key]:,} {words}")
                    for kind, key, sign, words in (
                        ("up", "gained", "+", "新命中"),
                        ("down", "lost", "−", "不再命中"),
                        ("ask", "verify", "+", "需核实"),
                    )
                    if row[key] > 0
                ],
            )
            for row in rows
        )
        return _section("按规则：改变最多的", "一条工单可以命中几条规则，所以各条相加会多于工单数。", chart)
    rows = [row for row in report["rules"] if row["new"]["hit"] or row["new"]["not_evaluated"]][:TOP]
    chart = _bars(
        (
            row["title"],
            f"{row['rule']}　{row['gate']}　{row['effect']}",
            [("up", row["new"]["hit"], f"{row['new']['hit']:,} 命中")]
            + (
                [("ask", row["new"]["not_evaluated"], f"{row['new']['not_evaluated']:,} 需核实")]
                if row["new"]["not_evaluated"]
                else []
            ),
        )
        for row in rows
    )
    return _section("按规则", "“按程序办理”一类的允许不算提示。", chart)


def _only(row: Row) -> str:
    return {"new": "只在新包", "old": "只在对照"}.get(row["only"], "")


def _value_chart(title: str, name: str, report: Row) -> str:
    rows = [row for row in report[name] if row["changed"] or not report["compared"]][:TOP]
    if not rows:
        return ""
    if report["compared"]:
        chart = _bars(
            (
                row["name"],
                f"共 {row['orders']:,} 条，改变 {_share(row['changed'], row['orders'])}",
                [
                    (kind, row[key], f"{sign}{row[key]:,}")
                    for kind, key, sign in (("up", "gained", "+"), ("down", "lost", "−"))
                    if row[key]
                ],
            )
            for row in rows
        )
        note = f"多出提示（+）和少了提示（−）的工单；共 {len(report[name]):,} 个，列出改变最多的 {len(rows)} 个。"
    else:
        chart = _bars(
            (row["name"], f"共 {row['orders']:,} 条", [("up", row["new"], f"{row['new']:,} 条有提示")]) for row in rows
        )
        note = f"共 {len(report[name]):,} 个，列出提示最多的 {len(rows)} 个。"
    return _section(title, note, chart)


def _month_chart(report: Row) -> str:
    """Share of orders with a remark, month by month: months differ in size."""
    rows = [row for row in report["months"] if row["orders"]]
    if not rows:
        return ""
    series = [("up", "new", "新包"), ("old", "old", "对照")][: 2 if report["compared"] else 1]
    chart = _bars(
        (
            row["name"],
            f"共 {row['orders']:,} 条",
            [
                (
                    kind,
                    round(10_000 * row[key] / row["orders"]),
                    f"{who} {_share(row[key], row['orders'])}（{row[key]:,} 条）",
                )
                for kind, key, who in series
            ],
        )
        for row in rows
    )
    return _section("按月：有提示的比例", "按受理时间分月。条数少的月份比例不稳。", chart)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls by itself on a narrow screen; numbers stand right."""
    listed = list(rows)
    numeric = [isinstance(value, int) for value in listed[0]] if listed else [False] * len(heads)
    head = "".join(
        f"<th{' class=n' if right else ''}>{escape(name)}</th>" for name, right in zip(heads, numeric, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td class=n>{value:,}</td>" if isinstance(value, int) else f"<td>{escape(str(value))}</td>"
            for value in row
        )
        + "</tr>"
        for row in listed[:TABLE_ROWS]
    )
    more = f"<p class=note>还有 {len(listed) - TABLE_ROWS:,} 行，见工作簿。</p>" if len(listed) > TABLE_ROWS else ""
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"


def _clause_table(report: Row) -> str:
    rows = report["clauses"]
    if not rows:
        return ""
    heads, keys = ["条款", "依据"], ["new"]
    if report["compared"]:
        keys = ["old", "new", "gained", "lost"]
    names = {"old": "对照命中", "new": "新包命中", "gained": "多", "lost": "少"}
    table = _table(
        [*heads, *(names[key] for key in keys)],
        (
            [row["clause"], f"{row['document']}{row['article']}（{row['confidence']}）", *(row[key] for key in keys)]
            for row in rows
        ),
    )
    return _section("按条款", "依据这一条款命中的工单数。", table)


def _pair_table(report: Row) -> str:
    rows = report["unit_rules"]
    if not rows:
        return ""
    table = _table(
        ["单位", "规则", "名称", "多", "少"],
        ([row["unit"], row["rule"], row["title"], row["gained"], row["lost"]] for row in rows[:TOP]),
    )
    return _section("哪些单位受哪条规则影响", f"共 {len(rows):,} 对，列出前 {min(TOP, len(rows))} 对。", table)


def _truth_table(truths: Sequence[Row]) -> str:
    if not truths:
        return ""

    def share(value: float | None) -> str:
        return "—" if value is None else f"{value:.1%}"

    table = _table(
        ["对照", "工单", "列中为是", "说对", "多说", "漏说", "无法判断", "准确率", "召回率"],
        (
            [
                *(row[key] for key in ("name", "n", "positives", "true_hits", "false_hits", "missed", "unknown")),
                *(share(row[key]) for key in ("precision", "recall")),
            ]
            for row in truths
        ),
    )
    return _section("与文件里的列对照", "列里写的是当时的处理结果，不一定就是对的。", table)


def _example_list(groups: Sequence[Row], counted: str) -> str:
    parts = []
    for group in groups:
        items = "".join(
            f"<li><p>{escape(order['text'])}</p><small>{escape(_place(order, counted))}</small></li>"
            for order in group["orders"]
        )
        head = f"<b>{group['says']}</b> {escape(group['title'])} <small>{escape(group['rule'])}</small>"
        parts.append(f"<details><summary>{head}</summary><ul class=examples>{items}</ul></details>")
    return _section("例子", "每格最多 5 条，取文件中最先出现的；文字已脱敏。", "".join(parts)) if parts else ""


def _place(order: Row, counted: str) -> str:
    where = f"第 {order['number']} {counted}　{order['order_id']}　{order['unit']}"
    return f"{where}　{order['cause']}" if order["cause"] else where


def _rule_table(report: Row) -> str:
    if not report["rules"]:
        return _section("全部规则的状态", "在判断时刻没有一条规则有效。请检查判断时刻，或规则的生效日期。", "")
    names = ("hit", "not_evaluated", "pass", "absent")
    heads = ["规则", "名称", "关口", "意思", "轻重", *(f"新：{STATE_NAMES[name]}" for name in names)]
    if report["compared"]:
        heads += [f"对照：{STATE_NAMES[name]}" for name in names]
    heads.append("依据")
    table = _table(
        heads,
        (
            [
                *(row[key] for key in ("rule", "title", "gate", "effect", "severity")),
                *(row["new"][name] for name in names),
                *((row["old"][name] for name in names) if report["compared"] else ()),
                row["basis"],
            ]
            for row in report["rules"]
        ),
    )
    return f"<section><details><summary><b>全部规则的状态</b></summary>{table}</details></section>"


def _basis(report: Row, against: Row | None) -> str:
    source = report["source"]
    lines = [
        f"规则包 {report['pack']['id']}（内容散列 {report['pack']['content_hash']}）",
        f"对照 {against['id']}（内容散列 {against['content_hash']}）"
        if against and against.get("content_hash")
        else "",
        f"对照 {against['id']}" if against and not against.get("content_hash") else "",
        f"工单 {source['name']}" + (f"（SHA-256 {source['file']}）" if source.get("file") else ""),
        f"判断时刻 {report['as_of']}；关口 {'、'.join(gate['title'] for gate in report['gates'])}",
        *(f"未判断：{row['title']}（{row['code']}）{row['orders']:,} 行" for row in report["skipped"]),
        "派单关口所看的单位取工单上的处置单位；需要人填写的事实在历史工单里没有，涉及它们的规则显示为“需核实”。",
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
    return f"<section><h2>怎么得来的</h2><ul class=basis>{items}</ul></section>"
