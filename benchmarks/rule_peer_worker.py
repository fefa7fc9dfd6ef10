"""Runs in the environment of the peers, so it imports nothing of ours: ``rule_peer_worker.py zen|datalogic_py FILE``.

Prints evaluations a second (the best of five rounds) and how many answers differ from those in the file. A peer gets
each set of facts as a Python dict, as ours do, and answers for all the rules in one call.
"""

import json
import sys
import time


def zen_engine(rules):
    import zen

    expressions = [{"id": str(n), "key": f"r{n}", "value": rule} for n, rule in enumerate(rules)]
    place = {"x": 0, "y": 0}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", "position": place},
        {
            "id": "ex",
            "name": "ex",
            "type": "expressionNode",
            "position": place,
            "content": {"expressions": expressions},
        },
        {"id": "out", "name": "out", "type": "outputNode", "position": place},
    ]
    edges = [
        {"id": "a", "sourceId": "in", "targetId": "ex", "type": "edge"},
        {"id": "b", "sourceId": "ex", "targetId": "out", "type": "edge"},
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    names = [f"r{n}" for n in range(len(rules))]

    def hits(answer):
        return [answer["result"][name] is True for name in names]

    return decision.evaluate, hits


def datalogic(rules):
    import datalogic_py

    compiled = datalogic_py.Engine().compile(json.dumps(rules))
    return compiled.evaluate, lambda answer: [one is True for one in answer]


def main():
    kind, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        body = json.load(file)
    work, hits = {"zen": zen_engine, "datalogic_py": datalogic}[kind](body["rules"])
    rows = body["rows"]
    wrong = sum(
        mine != theirs
        for row, wanted in zip(rows, body["wanted"], strict=True)
        for mine, theirs in zip(wanted, hits(work(row)), strict=True)
    )
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for row in rows:
            work(row)
        best = min(best, time.perf_counter() - start)
    print(json.dumps({"rate": len(rows) / best, "wrong": wrong}))


main()
