"""``python -m benchmarks.knowledge_quality [--write]``: the knowledge section of docs/quality.md, as Markdown.

Needs the encoder of ``zhipai setup``; the real data at ``ZHIPAI_SHARED_DATA`` add two sets. ``--write`` puts it into the page
in the place of what stood between the marks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from knowledge_base.quality import quality_results, quality_section
from models.encoder import Encoder
from service.settings import ROOT, settings

PAGE = ROOT / "docs" / "quality.md"
START = "<!-- benchmarks.knowledge_quality：以下由命令生成，不要手改 -->"
END = "<!-- benchmarks.knowledge_quality：以上由命令生成 -->"


def main() -> None:
    data = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    encoder = Encoder.load(settings().encoder_folder, threads=2)
    section = quality_section(quality_results(ROOT, data, encoder))
    if "--write" not in sys.argv[1:]:
        print(section)
        return
    before, marked, after = PAGE.read_text(encoding="utf-8").partition(START)
    _, ended, rest = after.partition(END)
    if not (marked and ended):
        sys.exit(f"{PAGE.name} 里没有标记“{START}”“{END}”，不知道写在哪里。请从版本库恢复这个文件。")
    PAGE.write_text(f"{before}{START}\n\n{section}\n{END}{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
