"""``python -m benchmarks.knowledge_quality``: the knowledge section of docs/quality.md, as Markdown.

Needs the encoder of ``zhipai setup``; the real data at ``ZHIPAI_SHARED_DATA`` add two sets.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from knowledge_base.quality import quality_results, quality_section
from models.encoder import Encoder
from service.settings import ROOT, settings


def main() -> None:
    data = Path(os.environ.get("ZHIPAI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    encoder = Encoder.load(settings().encoder_folder, threads=2)
    print(quality_section(quality_results(ROOT, data, encoder)))


if __name__ == "__main__":
    main()
