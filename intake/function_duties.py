"""What offices of a function do anywhere: duty lines for units whose city published none.

The lines are ours, written from general knowledge (``datasets/functions/README.md``); a city's own list goes before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from intake.errors import ZhipaiError, register

register("E1305", "职责要点有误", "职责要点文件“{path}”有误：{problem}。写法见 datasets/functions/README.md。")


@dataclass(frozen=True)
class FunctionDuties:
    """Function, or another name of it -> duty lines."""

    lines: dict[str, tuple[str, ...]]

    @classmethod
    def from_file(cls, path: Path) -> FunctionDuties:
        """Read the YAML file; E1305 says what is wrong with it."""
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ZhipaiError("E1305", {"path": path.name, "problem": f"读不出来（{type(error).__name__}）"}) from error
        if not isinstance(data, dict):
            raise ZhipaiError("E1305", {"path": path.name, "problem": "最外层应是“职能名: …”"})
        lines: dict[str, tuple[str, ...]] = {}
        for function, row in data.items():
            duties = row.get("duties") if isinstance(row, dict) else None
            if not isinstance(duties, list) or not all(isinstance(line, str) and line.strip() for line in duties):
                raise ZhipaiError("E1305", {"path": path.name, "problem": f"“{function}”下面应有 duties，一行一条文字"})
            # A function's own name goes before an alias of another function, whichever comes first in the file.
            lines[function] = tuple(duties)
        for row in data.values():
            for alias in row.get("aliases") or ():
                lines.setdefault(str(alias), tuple(row["duties"]))
        return cls(lines)

    def of(self, function: str) -> tuple[str, ...]:
        """The lines of a function by its name or an alias; a unit's full name ends in the function it has. Else none."""
        if function in self.lines:
            return self.lines[function]
        ending = max((name for name in self.lines if function.endswith(name)), key=len, default="")
        return self.lines.get(ending, ())
