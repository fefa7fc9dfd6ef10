"""The engine as the service uses it: cross-check, fallback, faults, threads, memory."""

from __future__ import annotations

import gc
import random
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from intake.errors import ZhipaiError
from rules import RuleEngine, durable, evaluate, load_pack
from rules.fact_dictionary import fact_dictionary

needs_durable = pytest.mark.skipif(not durable.available(), reason="没有安装 durable_rules")


@pytest.fixture(scope="module")
def pack():
    return load_pack("weifang")


def random_facts(seed: int) -> dict[str, object]:
    source = random.Random(seed)
    facts: dict[str, object] = {}
    for fact in fact_dictionary():
        if source.random() < 0.3:
            continue
        values = {"bool": [True, False], "int": range(12), "str": list(fact.values) or ["某单位"], "float": [0.5]}
        values["instant"] = ["2026-05-06T09:30:00+08:00", "2026-05-06T01:30:00Z"]
        facts[fact.name] = source.choice(list(values[fact.type]))
    return facts


@pytest.mark.parametrize("gate", [None, "acceptance", "return"])
def test_no_verdict_depends_on_the_engine(pack, as_of, gate):
    engines = [RuleEngine(pack, kind="durable"), RuleEngine(pack, kind="python")]
    for seed in range(40):
        facts = random_facts(seed)
        expected = evaluate(pack, facts, as_of=as_of, gate=gate)
        for engine in engines:
            found = engine.evaluate(facts, as_of=as_of, gate=gate)
            assert found.verdicts == expected
            assert found.engine == engine.kind
            assert found.disagreements == ()
    assert [engine.disagreement_count + engine.fault_count for engine in engines] == [0, 0]


@pytest.mark.parametrize("kind", ["durable", "python"])
def test_rules_that_pass_may_be_left_out_and_nothing_else(pack, as_of, kind):
    engine = RuleEngine(pack, kind=kind)
    for seed in range(20):
        facts = random_facts(seed)
        everything = engine.evaluate(facts, as_of=as_of, gate="acceptance")
        spoken = engine.evaluate(facts, as_of=as_of, gate="acceptance", passed=False)
        assert spoken.verdicts == tuple(one for one in everything.verdicts if one.state != "pass")
        assert (spoken.engine, spoken.disagreements) == (everything.engine, ())


def test_without_durable_rules_the_reference_serves_and_says_so(pack, as_of, monkeypatch):
    monkeypatch.setattr(durable, "_core", None)
    engine = RuleEngine(pack, kind="durable")
    assert engine.kind == "python"
    found = engine.evaluate({"return_requested": True}, as_of=as_of)
    assert found.engine == "python"
    assert found.verdicts == evaluate(pack, {"return_requested": True}, as_of=as_of)


@pytest.mark.parametrize("kind", ["durable", "python"])
def test_what_is_remembered_is_what_is_evaluated(as_of, kind):
    """Twice, so that the second answer comes from memory; on days of other rules too."""
    pack = load_pack("national")
    engine = RuleEngine(pack, kind=kind)
    days = [as_of, as_of.replace(year=as_of.year + 30), as_of.replace(year=2000)]
    for _ in range(2):
        for seed in range(30):
            facts = random_facts(seed)
            for day in days:
                for passed in (True, False):
                    expected = engine.evaluate(facts, as_of=day, gate="acceptance", passed=passed).verdicts
                    assert engine.verdicts(facts, as_of=day, gate="acceptance", passed=passed) == expected


def test_facts_that_no_rule_of_the_gate_reads_do_not_cost_an_evaluation(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    asked = []
    evaluate_both = engine.evaluate
    monkeypatch.setattr(engine, "evaluate", lambda *args, **more: asked.append(more) or evaluate_both(*args, **more))
    read = pack.in_force(as_of.date()).reads("return")
    assert "text_length" not in read and "return_requested" in read
    for length in range(5):
        engine.verdicts({"return_requested": True, "text_length": length}, as_of=as_of, gate="return")
    assert len(asked) == 1
    engine.verdicts({"return_requested": False, "text_length": 1}, as_of=as_of, gate="return")
    engine.verdicts({"return_requested": True}, as_of=as_of, gate="acceptance")
    assert len(asked) == 3


def test_a_wrong_fact_is_refused_from_memory_too(pack, as_of):
    engine = RuleEngine(pack)
    engine.verdicts({"return_requested": True}, as_of=as_of, gate="return")
    for facts in ({"return_requested": 1}, {"return_requested": True, "text_length": "长"}, {"no_such_fact": True}):
        with pytest.raises(ZhipaiError, match=r"E320[23]"):
            engine.verdicts(facts, as_of=as_of, gate="return")
    with pytest.raises(ZhipaiError, match="E3204"):
        engine.verdicts({}, as_of=as_of, gate="nowhere")
    with pytest.raises(ZhipaiError, match="E3201"):
        engine.verdicts({}, as_of=as_of.replace(tzinfo=None), gate="return")


@needs_durable
def test_what_the_engines_differ_on_is_not_remembered(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    truth = engine._compiled.states
    monkeypatch.setattr(
        engine._compiled, "states", lambda facts, *, gate=None: truth(facts, gate=gate) | {"WF-RET-002": "pass"}
    )
    facts = {"return_requested": True, "designated_by_ruling": True}
    for times in (1, 2, 3):
        assert engine.verdicts(facts, as_of=as_of, gate="return") == evaluate(pack, facts, as_of=as_of, gate="return")
        assert engine.disagreement_count == times


@needs_durable
def test_a_fault_is_not_remembered(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    with monkeypatch.context() as patch:
        patch.setattr(engine._compiled._gates["return"], "_post", lambda handle, fact: [])
        engine.verdicts({}, as_of=as_of, gate="return")
        engine.verdicts({}, as_of=as_of, gate="return")
    assert engine.fault_count == 2


@needs_durable
def test_a_disagreement_is_flagged_counted_and_answered_by_the_reference(pack, as_of, monkeypatch, caplog):
    engine = RuleEngine(pack)
    truth = engine._compiled.states

    def lie(facts, *, gate=None):
        return truth(facts, gate=gate) | {"WF-RET-002": "pass"}

    monkeypatch.setattr(engine._compiled, "states", lie)
    facts = {"return_requested": True, "designated_by_ruling": True}
    found = engine.evaluate(facts, as_of=as_of, gate="return")
    assert found.disagreements == ("WF-RET-002",)
    assert found.engine == "durable"
    assert found.verdicts == evaluate(pack, facts, as_of=as_of, gate="return")
    assert engine.disagreement_count == 1
    assert "WF-RET-002" in caplog.text


@needs_durable
def test_a_rule_that_durable_forgets_is_a_disagreement(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    monkeypatch.setattr(engine._compiled, "states", lambda facts, *, gate=None: {})
    found = engine.evaluate({}, as_of=as_of, gate="return")
    assert set(found.disagreements) == {verdict.rule_id for verdict in found.verdicts}


@needs_durable
def test_after_a_fault_the_reference_answers_and_the_engine_is_built_again(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    rules = engine._compiled._gates["return"]
    facts = {"return_requested": True, "designated_by_ruling": True}
    expected = evaluate(pack, facts, as_of=as_of, gate="return")
    with monkeypatch.context() as patch:
        patch.setattr(rules, "_post", lambda handle, fact: [])  # a silent engine: the sentinel is missing
        found = engine.evaluate(facts, as_of=as_of, gate="return")
    assert (found.engine, found.verdicts, engine.fault_count) == ("python", expected, 1)
    again = engine.evaluate(facts, as_of=as_of, gate="return")
    assert (again.engine, again.verdicts, engine.fault_count) == ("durable", expected, 1)


@needs_durable
def test_a_native_error_becomes_a_fault_and_not_an_exception(pack, as_of, monkeypatch):
    engine = RuleEngine(pack)
    rules = engine._compiled._gates["return"]
    with monkeypatch.context() as patch:
        patch.setattr(type(rules._lowered), "fact_json", lambda self, facts: "{broken")
        assert engine.evaluate({}, as_of=as_of, gate="return").engine == "python"
    assert engine.evaluate({}, as_of=as_of, gate="return").engine == "durable"
    assert engine.fault_count == 1


@needs_durable
def test_a_pack_that_durable_cannot_take_is_left_to_the_reference(write_pack, as_of, monkeypatch):
    def refuse(*_):
        raise durable._core.error("no")

    rule = (
        "- {id: TN-RET-777, title: 某, gate: return, when: {fact: return_requested, is: true}, verdict: allow,"
        " severity: info, disposition: {action: 某, tell: 某}, clause: town-2020#1}"
    )
    pack = load_pack(write_pack(rules=rule))
    monkeypatch.setattr(durable.DurableRules, "_build", refuse)
    engine = RuleEngine(pack)
    assert engine.kind == "python"
    assert engine.evaluate({"return_requested": True}, as_of=as_of).verdicts[0].state == "hit"


def test_a_closed_engine_still_answers(pack, as_of):
    engine = RuleEngine(pack)
    engine.close()
    engine.close()
    assert engine.evaluate({}, as_of=as_of).engine == "python"


def test_threads_share_one_engine_while_others_come_and_go(pack, as_of):
    engine = RuleEngine(pack)
    cases = [random_facts(seed) for seed in range(50)]
    expected = [evaluate(pack, facts, as_of=as_of, gate="acceptance") for facts in cases]
    # Read once, and more of them than idle ones are kept: each that comes is compiled, each that goes is freed.
    others = [load_pack(name) for name in ("jinan", "national", "xianyang", "anyang")]
    assert len(others) > durable._Cache.IDLE + 1

    def work(number: int) -> int:
        if number % 10 == 0:
            RuleEngine(others[number // 10 % len(others)]).close()
        index = number % len(cases)
        found = engine.evaluate(cases[index], as_of=as_of, gate="acceptance")
        return found.verdicts == expected[index] and found.engine == engine.kind

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(400)))
    assert engine.disagreement_count == engine.fault_count == 0


@needs_durable
def test_engines_of_one_pack_share_what_is_compiled(pack):
    first, second = RuleEngine(pack), RuleEngine(pack)
    assert first._compiled is second._compiled
    compiled = first._compiled
    first.close()
    assert compiled._gates["return"]._handles  # the second still uses it
    second.close()


@needs_durable
def test_idle_packs_are_freed_and_memory_stays_flat(write_pack, as_of):
    rule = (
        "- {{id: TN-RET-001, title: 第{number}版, gate: return, when: {{fact: return_requested, is: true}},"
        " verdict: allow, severity: info, disposition: {{action: 某, tell: 某}}, clause: town-2020#1}}"
    )
    process = psutil.Process()
    seen = []
    for number in range(60):
        if number == 20:
            gc.collect()
            before = process.memory_info().rss
        engine = RuleEngine(load_pack(write_pack(rules=rule.format(number=number))))
        engine.evaluate({"return_requested": True}, as_of=as_of)
        seen.append(engine._compiled)
        engine.close()
    gc.collect()
    alive = [compiled for compiled in seen if compiled._gates["return"]._handles]
    assert len(alive) <= durable._Cache.IDLE
    # A ruleset that is only forgotten costs 1.3 MB at least; forty of them would show.
    assert process.memory_info().rss - before < 30 * 2**20
