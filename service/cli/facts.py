"""Facts on the command line: ``--fact 名称=值``, read by the type that the fact dictionary gives them."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from intake.errors import ZhipaiError, register
from rules.fact_dictionary import fact_dictionary

register("E7661", "事实写法不对", "“{text}”不是 名称=值 的写法。例如 --fact kind=投诉 --fact unit_dispute=true。")

FACT_OPTION = typer.Option([], "--fact", help="事实，写成 名称=值，可重复；名称见 zhipai rules facts。")
_WORDS = {"true": True, "false": False, "是": True, "否": False}


def parse_facts(pairs: Sequence[str]) -> dict[str, object]:
    """Facts by name, typed.

    Raises
    ------
    ZhipaiError
        E7661 for a pair without an equals sign, E3202 for an unknown name, E3203 for a value of another type.
    """
    dictionary = fact_dictionary()
    facts: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ZhipaiError("E7661", {"text": pair[:40]})
        fact = dictionary.get(name.strip())
        facts[name.strip()] = _typed(fact.type if fact else "str", text.strip())
    return {**dictionary.check(facts)}


def _typed(kind: str, text: str) -> object:
    """The value that the text stands for; the text itself where it cannot be one, which the dictionary then refuses."""
    if kind == "bool":
        return _WORDS.get(text, text)
    try:
        return int(text) if kind == "int" else float(text) if kind == "float" else text
    except ValueError:
        return text
