"""Parts of an entry's life that need no database: citations, changes, merging, and a body that is safe to show."""

from __future__ import annotations

from datetime import date

import pytest

from intake.errors import ZhipaiError
from knowledge_base import KnowledgeEntry, entry_from_dict, entry_to_dict
from knowledge_base.citations import Citation, KnownClause, chinese_number, parse_citations, repealed_citations
from knowledge_base.entry import Contact
from knowledge_base.markdown import to_html
from knowledge_base.versions import changes, merge

ROW = {"id": "K1", "title": "标题", "answer": "答", "unit": "单位"}


@pytest.mark.parametrize(
    ("text", "citations"),
    [
        ("", ()),
        ("《甲办法》", (Citation("甲办法"),)),
        ("《甲办法》第十条、第十二条第二款；《乙条例》（已废止）",
         (Citation("甲办法", "第十条"), Citation("甲办法", "第十二条第二款"), Citation("乙条例", "", True))),
        ("某政发〔2020〕3号第5条", (Citation("某政发〔2020〕3号", "第5条"),)),
    ],
)  # fmt: skip
def test_citations_are_read_from_text(text: str, citations: tuple[Citation, ...]) -> None:
    assert parse_citations(text) == citations


@pytest.mark.parametrize(("text", "number"), [("十", 10), ("一百零八", 108), ("二十", 20), ("12", 12), ("〇", 0)])
def test_chinese_numbers(text: str, number: int) -> None:
    assert chinese_number(text) == number


def test_repealed_clause_is_found_by_its_number() -> None:
    known = [KnownClause("甲办法", "第10条", date(2026, 1, 1)), KnownClause("甲办法", "第十一条", None)]
    cited = parse_citations("《甲办法》第十条、第十一条；《丙》第一条")
    found = repealed_citations(cited, known, day=date(2026, 1, 1))
    assert [(one.article, reason) for one, reason in found] == [("第十条", "已于 2026-01-01 起失效")]
    assert repealed_citations(cited, known, day=date(2025, 12, 31)) == []
    assert repealed_citations(parse_citations("《甲办法》"), known, day=date(2026, 5, 1)) == [], "仍有一条有效"


def test_changes_are_told_field_by_field() -> None:
    assert changes(ROW, ROW | {"body": "", "contacts": []}) == []
    found = changes(ROW, ROW | {"questions": ["问"], "effective_to": "2027-01-01"})
    assert [str(one) for one in found] == ["问法：（空） → 问", "失效日期：（空） → 2027-01-01"]


def test_two_changes_are_put_together() -> None:
    theirs, mine = ROW | {"answer": "他改的"}, ROW | {"title": "我改的"}
    merged = merge(ROW, theirs, mine)
    assert (merged.content["title"], merged.content["answer"], merged.conflicts) == ("我改的", "他改的", ())
    both = merge(ROW, theirs, ROW | {"answer": "我也改"})
    assert (both.content["answer"], both.conflicts) == ("我也改", ("answer",))
    assert merge(ROW, theirs, theirs).conflicts == ()


@pytest.mark.parametrize(
    "evil",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](https://e.cn/a.png)",
     "[x](JaVaScRiPt&colon;alert(1))", "[x](data:text/html;base64,PHM+)", "<a href='x' onclick='y'>z</a>", "<!-- x -->",
     '[x](https://e.cn/"onclick="y)', "<iframe src=//e.cn>", "`<script>`", "<https://e.cn/<script>>"],
)  # fmt: skip
def test_body_is_safe_to_show(evil: str) -> None:
    from html.parser import HTMLParser

    found: list[tuple[str, dict[str, str | None]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

        def handle_comment(self, data: str) -> None:
            found.append(("comment", {}))

    Tags().feed(to_html(f"前 {evil} 后\n\n{evil}"))
    assert {tag for tag, _ in found} <= {"p", "a", "code"}
    for _, attributes in found:
        assert set(attributes) <= {"href", "rel"}
        assert (attributes.get("href") or "https:").startswith("https:")


def test_markdown_is_shown_as_markdown() -> None:
    html = to_html("## 材料\n\n- 身份证\n\n|a|b|\n|-|-|\n|1|2|\n\n[网址](https://e.cn/a)")
    for part in ("<h2>材料</h2>", "<li>身份证</li>", "<td>1</td>", 'href="https://e.cn/a" rel="noopener'):
        assert part in html


def test_new_fields_come_back_and_old_hashes_stay() -> None:
    entry = entry_from_dict(
        ROW | {"body": "正文", "audience": "老人", "contacts": [{"name": "窗口", "value": "12345", "checked": "2026-05-01"}],
               "attachments": [{"name": "表.docx", "sha256": "a" * 64}], "secrecy": "内部"}
    )  # fmt: skip
    assert entry.contacts == (Contact("窗口", "12345", date(2026, 5, 1)),)
    assert entry_from_dict(entry_to_dict(entry)) == entry
    plain = KnowledgeEntry("K1", "标题", (), "答", "单位")
    assert entry_from_dict(ROW).content_hash == plain.content_hash != entry.content_hash
    assert "body" not in entry_to_dict(plain)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secrecy": "机密"}, "E4009"),
        ({"body": "长" * 100_001}, "E4010"),
        ({"contacts": "12345"}, "E4005"),
        ({"contacts": [{"name": "窗口"}]}, "E4003"),
        ({"contacts": [{"value": "1", "fax": "2"}]}, "E4002"),
        ({"contacts": [{"value": "1", "checked": "上周"}]}, "E4006"),
        ({"attachments": [{"name": "a", "sha256": "xyz"}]}, "E4005"),
        ({"attachments": [{"sha256": "a" * 64}]}, "E4003"),
    ],
)
def test_bad_new_fields_are_refused(change: dict, code: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        entry_from_dict(ROW | change)
    assert caught.value.code == code


def test_old_name_of_a_state_is_understood() -> None:
    assert entry_from_dict(ROW | {"state": "审核"}).state == "待审"
    assert entry_from_dict(ROW | {"state": "待更新"}).in_force(date(2026, 5, 1))
