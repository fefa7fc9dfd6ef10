"""The body of an entry as HTML that is safe to show: what was typed as HTML is shown as text, never run."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Images would be fetched from outside by whoever reads the entry; javascript:, vbscript:, file: and data: links are
    # refused by the parser itself.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")

    def link_open(renderer: RendererHTML, tokens: list[Token], index: int, options: OptionsDict, env: object) -> str:
        tokens[index].attrSet("rel", "noopener noreferrer nofollow")
        return renderer.renderToken(tokens, index, options, env)  # type: ignore[arg-type]

    parser.add_render_rule("link_open", link_open)
    return parser


def to_html(markdown: str) -> str:
    """HTML of a Markdown text (CommonMark and tables); raw HTML in it is escaped, images are left as text."""
    return str(_parser().render(markdown))
