"""Policy documents (.docx, .pdf) cut into passages by their articles, each an entry that cites where it stands."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docx
import pypdf
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph
from pypdf.errors import PyPdfError

from intake.clean import clean_text
from intake.errors import ZhipaiError, register
from intake.sheets import unpacks_beyond_reason
from intake.tables import open_binary
from knowledge_base.citations import ARTICLE
from knowledge_base.columns import stable_id
from knowledge_base.entry import DRAFT, MAX_TITLE, entry_from_dict
from knowledge_base.sheet_rows import EntryRow, EntrySheet

register(
    "E4055",
    "文件读不出",
    "文件“{name}”读不出来：{problem}。",
)
register(
    "E4056",
    "PDF 是扫描件",
    "“{name}”共 {pages} 页，几乎没有可取出的文字，应是扫描件或图片。请向发文单位要 Word 版或可复制文字的 PDF，"
    "或先用文字识别（OCR）软件转成 .docx，人工核对后再导入。",
)
register("E4057", "文件太长", "文件“{name}”{problem}，没有读取。请拆开后再导入。", status=413)

MAX_BYTES = 50 * 1024 * 1024
MAX_PAGES = 2000
#: Characters on a page, on average, below which there is no text but pictures of it.
_SCAN_BELOW = 20
#: A passage of a document without articles, in characters.
_BLOCK = 800
_BREAK = re.compile(rf"^[\s　]*({ARTICLE})[\s　]*|^[\s　]*(第[〇零一二三四五六七八九十百\d]+[编章节])[\s　]*")
_HEADING = re.compile(r"^[\s　]*(?:[一二三四五六七八九十]{1,3}、|[（(][一二三四五六七八九十]{1,3}[）)])")
_PAGE_NUMBER = re.compile(r"[\s\-—–·.]*(?:第\s*)?\d{1,4}(?:\s*页)?(?:\s*[/共]\s*\d{1,4}\s*页?)?[\s\-—–·.]*")
_KIND = re.compile(r"(办法|条例|规定|细则|意见|通知|方案|指南|规范|制度|标准|决定|公告)(（.{1,10}）)?$")
_ENDS = "。；：！？.;:!?"


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document: its article (empty where it has none), the chapter it stands in, and its text."""

    article: str
    chapter: str
    text: str


def open_document(path: Path, *, defaults: Mapping[str, str]) -> EntrySheet:
    """The passages of a document as drafts, for somebody to look through.

    ``defaults`` gives the unit, which is required, and what else is the same for all; ``source`` is the document's name
    where nothing else is given.

    Raises
    ------
    ZhipaiError
        E4055 for a file that cannot be read, E4056 for a scan, E4057 for one too large.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ZhipaiError("E4057", {"name": path.name, "problem": f"超过 {MAX_BYTES // 1024**2} MB"})
    paragraphs = read_pdf(path) if path.suffix.lower() == ".pdf" else read_docx(path)
    passages = cut(paragraphs)
    if not passages:
        raise ZhipaiError("E4055", {"name": path.name, "problem": "里面没有文字"})
    name = _name_of(paragraphs, path)
    return EntrySheet(("序号", "条款", "标题"), _entries(passages, name, path.name, defaults))


def _entries(passages: Sequence[Passage], document: str, file: str, defaults: Mapping[str, str]) -> Iterator[EntryRow]:
    given = {name: value for name, value in defaults.items() if value}
    for number, passage in enumerate(passages, start=1):
        place = passage.article or f"第 {number} 段"
        title = f"{document} {place}：{_first_words(passage.text)}"[:MAX_TITLE]
        row = {
            "title": title,
            "answer": passage.text,
            "clause": f"《{document}》{passage.article}",
            "source": file,
            "state": DRAFT,
            **given,
        }
        row["id"] = stable_id({**row, "title": f"{document} {place}"})
        try:
            entry = entry_from_dict(row, where=f"{file} {place}")
            yield EntryRow(number, (str(number), place, title), entry, None)
        except ZhipaiError as error:
            yield EntryRow(number, (str(number), place, title), None, error)


def _first_words(text: str) -> str:
    return re.split(r"[。；，：\n]", text, maxsplit=1)[0][:40]


def _name_of(paragraphs: Sequence[str], path: Path) -> str:
    """The document's name: the first lines that say what it is, else that of the file."""
    name = ""
    for line in paragraphs[:6]:
        if _BREAK.match(line) or len(line) > 60 or line.endswith(tuple("。：；")):
            break
        name += re.sub(r"\s", "", line)
        if _KIND.search(name):
            return name.strip("《》")[:80]
    return path.stem[:80]


def read_docx(path: Path) -> list[str]:
    """The paragraphs and table rows of a .docx in their order; article numbers that Word counts itself are written out."""
    with open_binary(path) as file:
        start = file.read(4)
    if start == b"\xd0\xcf\x11\xe0":
        raise ZhipaiError("E4055", {"name": path.name, "problem": "是旧版 .doc 或加了密码，请另存为不加密的 .docx"})
    try:
        with zipfile.ZipFile(path) as archive:
            if problem := unpacks_beyond_reason(archive):
                raise ZhipaiError("E1322", {"path": path.name, "problem": problem})
        document = docx.Document(str(path))
        blocks = list(document.iter_inner_content())
        counted = _Numbers(document)
        lines = [line for block in blocks for line in _lines_of(block, counted)]
    except ZhipaiError:
        raise
    except Exception as error:
        problem = "不是完整的 .docx，请用 Word 或 WPS 打开后另存一份"
        raise ZhipaiError("E4055", {"name": path.name, "problem": problem}) from error
    return [line for line in map(clean_text, lines) if line]


def _lines_of(block: Paragraph | Table, counted: _Numbers) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield counted.before(block) + block.text
        return
    for row in block.rows:
        cells = list(dict.fromkeys(cell.text.strip() for cell in row.cells))  # a merged cell comes once for each column
        yield " | ".join(filter(None, cells))


class _Numbers:
    """Numbers that Word computes: “第%1条” as a list format stands nowhere in the text."""

    def __init__(self, document: docx.document.Document):
        self._counts: dict[tuple[str, str], int] = {}
        self._formats: dict[tuple[str, str], str] = {}
        try:
            root = document.part.numbering_part.element
        except (KeyError, NotImplementedError):
            # A document without lists has no part for their numbers; the parser knows no other way to say so.
            return
        abstract = {one.get(qn("w:abstractNumId")): one for one in root.findall(qn("w:abstractNum"))}
        for num in root.findall(qn("w:num")):
            points_to = num.find(qn("w:abstractNumId"))
            levels = abstract.get(points_to.get(qn("w:val"))) if points_to is not None else None
            for level in levels.findall(qn("w:lvl")) if levels is not None else ():
                text = level.find(qn("w:lvlText"))
                key = (num.get(qn("w:numId")), level.get(qn("w:ilvl")))
                self._formats[key] = text.get(qn("w:val"), "") if text is not None else ""

    def before(self, paragraph: Paragraph) -> str:
        properties = paragraph._p.pPr
        numbering = properties.numPr if properties is not None else None
        if numbering is None or numbering.numId is None:
            return ""
        level = str(numbering.ilvl.val if numbering.ilvl is not None else 0)
        key = (str(numbering.numId.val), level)
        form = self._formats.get(key, "")
        if not re.fullmatch(r"第%\d[条章节]", form.strip()):
            return ""
        self._counts[key] = self._counts.get(key, 0) + 1
        return re.sub(r"%\d", str(self._counts[key]), form.strip()) + " "


def read_pdf(path: Path) -> list[str]:
    """The paragraphs of a PDF, its lines joined and page numbers left out; E4056 if it is a scan."""
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise ZhipaiError("E4055", {"name": path.name, "problem": "加了密码，请去掉密码后再导入"})
        if len(reader.pages) > MAX_PAGES:
            raise ZhipaiError("E4057", {"name": path.name, "problem": f"超过 {MAX_PAGES} 页"})
        pages = [page.extract_text() or "" for page in reader.pages]
    except ZhipaiError:
        raise
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise ZhipaiError("E4055", {"name": path.name, "problem": "不是完整的 PDF 或已损坏"}) from error
    if sum(len("".join(page.split())) for page in pages) < _SCAN_BELOW * max(len(pages), 1):
        raise ZhipaiError("E4056", {"name": path.name, "pages": len(pages)})
    lines = [line.strip() for page in pages for line in page.splitlines()]
    return _joined([line for line in lines if line and not _PAGE_NUMBER.fullmatch(line)])


def _joined(lines: Sequence[str]) -> list[str]:
    """Lines of a page put together to paragraphs: a new one begins at an article, a heading, or after a full stop."""
    found: list[str] = []
    for line in lines:
        begins = _BREAK.match(line) or _HEADING.match(line)
        if found and not begins and found[-1][-1] not in _ENDS and not _is_title(found):
            found[-1] += line
        else:
            found.append(line)
    return [clean_text(line) for line in found]


def _is_title(found: Sequence[str]) -> bool:
    """Whether the last paragraph is the name of the document or of a chapter: what follows is not part of it."""
    is_name = len(found) == 1 and len(found[0]) <= 60 and _KIND.search(found[0])
    return bool(is_name or re.fullmatch(r"第\S{1,6}[编章节]\s*\S{0,20}", found[-1]))


def cut(paragraphs: Sequence[str]) -> list[Passage]:
    """Passages by article; a document without articles by headings, in blocks of a readable length."""
    articles: list[tuple[str, str, list[str]]] = []
    chapter, preface = "", []
    for line in paragraphs:
        match = _BREAK.match(line)
        if match and match[2]:
            chapter = line.strip()
        elif match:
            articles.append((match[1], chapter, [line[match.end() :].strip()]))
        elif articles:
            articles[-1][2].append(line.strip())
        else:
            preface.append(line)
    if articles:
        return [
            Passage(article, part, "\n".join(filter(None, lines))) for article, part, lines in articles if any(lines)
        ]
    blocks: list[str] = []
    for line in preface:
        if blocks and len(blocks[-1]) + len(line) <= _BLOCK and not _HEADING.match(line):
            blocks[-1] += "\n" + line
        else:
            blocks.append(line)
    return [Passage("", "", block) for block in blocks]
