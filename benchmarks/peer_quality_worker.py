"""Runs in the environment of the peer, so it imports nothing of ours: ``peer_quality_worker.py FILE``.

The file is a JSON list of texts. Prints the categories of each and the seconds that the best of three rounds took.
"""

import json
import sys
import time
from pathlib import Path

from baisitong2.services.analyzer import rule_analyzer

texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
seconds = []
for _ in range(3):
    started = time.perf_counter()
    found = [rule_analyzer.analyze(text)["categories"] for text in texts]
    seconds.append(time.perf_counter() - started)
print(json.dumps({"categories": found, "seconds": min(seconds)}, ensure_ascii=False))
