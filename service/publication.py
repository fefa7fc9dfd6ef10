"""Publish a version of a rule pack: checked, bundled and logged in one transaction, in force from an instant on."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from intake.canonical import canonical_json
from intake.errors import ZhipaiError, register
from intake.pii import mask_pii
from rules.bundle import Bundle, make_bundle
from rules.lint import lint
from rules.pack import RulePack, load_pack
from rules.problems import Finding
from rules.run_tests import TestReport, run_rule_tests
from service.db.engine import reading, writing
from service.db.tables import RULE_BUNDLES, RULE_PUBLICATIONS
from service.log import append_record
from service.rule_versions import Publication, find_version, publications, stored_bundle, version_at

register(
    "E3504",
    "生效时刻已过",
    "生效时刻 {effective_from} 已经过去，而“{pack}”已有发布的版本；改动不能追溯。请写现在以后的时刻；条文自己的施行日写在规则的 effective_from。",
)
register("E3505", "届时已是这个版本", "{effective_from} 时生效的已经是 {version}，不必再发布。")
register("E3506", "缺少发布人或理由", "发布规则须写明 {missing}，会记入决定日志。")
register(
    "E3507", "回测报告不符", "回测报告“{name}”不能用：{problem}。请用 zhipai rules backtest 对这一版规则重新回测。"
)
register(
    "E7610",
    "规则包不能发布",
    "规则包“{pack}”不能发布：检查有 {errors} 处错误，{failed} 个规则测试未通过，{untested} 条规则没有测试，见上面的清单。",
    exit_code=4,
)


@dataclass(frozen=True)
class Candidate:
    """A version that somebody wants to publish, with what the checks said of it. ``pack`` is None if it does not load."""

    name: str
    pack: RulePack | None
    bundle: Bundle | None
    findings: tuple[Finding, ...]
    report: TestReport | None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def obstacles(self) -> tuple[str, ...]:
        """The lines that stand in the way, each with its place; none if the version may be published."""
        failed = self.report.failed if self.report else ()
        marks = {rule.id: rule.mark for rule in self.pack.rules} if self.pack else {}
        untested = [
            f"{marks[name]} 规则“{name}”没有测试。" for name in (self.report.untested_rules if self.report else ())
        ]
        # A test that cannot be read is found by both.
        return tuple(dict.fromkeys([*map(str, self.errors), *map(str, failed), *untested]))

    def summary(self) -> dict[str, Any]:
        """What the decision record keeps of the checks."""
        warnings = [finding for finding in self.findings if finding.level == "warning"]
        codes = sorted({finding.code for finding in warnings})
        report = self.report
        return {
            "lint": {
                "errors": len(self.errors),
                "warnings": {code: sum(finding.code == code for finding in warnings) for code in codes},
            },
            "tests": {
                "passed": report.passed if report else 0,
                "failed": len(report.failed) if report else 0,
                "untested_rules": len(report.untested_rules) if report else 0,
            },
        }

    def require(self) -> tuple[RulePack, Bundle]:
        """The pack and its bundle; E7610 if something stands in the way."""
        if self.obstacles or self.pack is None or self.bundle is None:
            counts = self.summary()
            raise ZhipaiError(
                "E7610",
                {
                    "pack": self.name,
                    "errors": counts["lint"]["errors"],
                    "failed": counts["tests"]["failed"],
                    "untested": counts["tests"]["untested_rules"],
                },
            )
        return self.pack, self.bundle


def check_folder(name_or_path: str, *, overrides: Path | None = None, root: Path | None = None) -> Candidate:
    """Check the pack in a folder; everything that is wrong is in the candidate, nothing is raised."""
    findings = lint(name_or_path, root=root, overrides=overrides)
    try:
        pack = load_pack(name_or_path, root=root, overrides=overrides)
    except ZhipaiError:
        # The lint has said why.
        return Candidate(Path(name_or_path).name, None, None, findings, None)
    report = run_rule_tests(pack)
    return Candidate(pack.name, pack, make_bundle(pack, root=root, overrides=overrides), findings, report)


def check_published(engine: Engine, version: str, *, pack: str = "") -> Candidate:
    """Check a published version again, by the software of today: for going back to it.

    Raises
    ------
    ZhipaiError
        E3503 for an unknown version, E3501/E3502 for one that cannot be used.
    """
    with reading(engine) as connection:
        bundle = stored_bundle(connection, find_version(connection, version, pack=pack))
    bundle.load()
    with bundle.unpacked() as root:
        now = check_folder(bundle.pack, overrides=bundle.overrides(root), root=root)
    return Candidate(now.name, now.pack and bundle.load(), bundle, now.findings, now.report)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A backtest report that goes with a publication: its name and the SHA-256 of the file, not its content."""

    name: str
    sha256: str
    pack: str
    evaluated: int

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "sha256": self.sha256, "pack": self.pack, "evaluated": self.evaluated}


def attach_backtest(path: Path, pack: RulePack) -> Attachment:
    """Read a report of ``zhipai rules backtest``; E3507 if it is none, or was made with another version."""
    content = path.read_bytes()
    try:
        report = json.loads(content)
        tested, evaluated = report["pack"], int(report["totals"]["evaluated"])
        version, digest = str(tested["id"]), str(tested["content_hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZhipaiError("E3507", {"name": path.name, "problem": "不是回测的 JSON 报告"}) from error
    if digest != pack.content_hash:
        raise ZhipaiError("E3507", {"name": path.name, "problem": f"回测的是 {version}，要发布的是 {pack.id}"})
    return Attachment(path.name, hashlib.sha256(content).hexdigest(), version, evaluated)


@dataclass(frozen=True, slots=True)
class Order:
    """Who publishes, why, from when on, and in which role (empty: nobody signed in). An ``effective_from`` of None means:
    at once."""

    actor: str
    reason: str
    effective_from: datetime | None = None
    role: str = ""


def publish(
    engine: Engine,
    candidate: Candidate,
    order: Order,
    *,
    backtest: Attachment | None = None,
    software: str,
    at: datetime,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Record a publication: bundle, decision record and publication commit together, or nothing does.

    Returns
    -------
    dict
        What was recorded (``decision_id`` and ``sequence`` empty for a dry run), and as ``replaces`` the version that
        was to be in force at that instant.

    Raises
    ------
    ZhipaiError
        E7610 if a check failed, E3504–E3506 for the instant, the version, who and why; E6001–E6004 database.
    """
    pack, bundle = candidate.require()
    missing = [
        what
        for what, text in (("发布人（--who）", order.actor), ("理由（--reason）", order.reason))
        if len(text.strip()) < 2
    ]
    if missing:
        raise ZhipaiError("E3506", {"missing": "、".join(missing)})
    start = order.effective_from or at
    with writing(engine) as connection:
        standing = _check_start(connection, pack, start, at)
        body = {
            "actor": order.actor.strip(),
            "role": order.role,
            "reason": mask_pii(order.reason.strip()).text,
            "pack": pack.name,
            "version": pack.id,
            "content_hash": pack.content_hash,
            "bundle_hash": bundle.hash,
            "effective_from": start.isoformat(),
            "replaces": standing.content_hash if standing else None,
            "backtest": backtest.as_dict() if backtest else None,
            "software": software,
            **candidate.summary(),
        }
        if dry_run:
            return {"decision_id": "", "sequence": None, **body}
        return _write(connection, pack, bundle, body, start, at)


def _check_start(connection: Connection, pack: RulePack, start: datetime, at: datetime) -> Publication | None:
    """The publication that would be in force at ``start`` without the new one.

    Nothing that was in force may be rewritten: only the first publication of a pack may reach back.
    """
    found = publications(connection, pack.name)
    if found and start < at:
        raise ZhipaiError("E3504", {"effective_from": f"{start:%Y-%m-%d %H:%M}", "pack": pack.name})
    standing = version_at(found, start)
    if standing is not None and standing.content_hash == pack.content_hash:
        raise ZhipaiError("E3505", {"effective_from": f"{start:%Y-%m-%d %H:%M}", "version": pack.id})
    return standing


def _write(
    connection: Connection,
    pack: RulePack,
    bundle: Bundle,
    body: Mapping[str, Any],
    start: datetime,
    at: datetime,
) -> dict[str, Any]:
    kept = select(RULE_BUNDLES.c.content_hash).where(RULE_BUNDLES.c.content_hash == pack.content_hash)
    if connection.execute(kept).first() is None:
        connection.execute(
            insert(RULE_BUNDLES).values(
                content_hash=pack.content_hash,
                pack=pack.name,
                bundle=bundle.content,
                bundle_hash=bundle.hash,
                created_at=at.isoformat(),
            )
        )
    decision_id, content = append_record(
        connection,
        kind="rule_publication",
        body=body,
        key=uuid.uuid4().hex,
        digest=hashlib.sha256(canonical_json(dict(body))).hexdigest(),
        at=at,
    )
    connection.execute(
        insert(RULE_PUBLICATIONS).values(
            decision_id=decision_id,
            pack=pack.name,
            content_hash=pack.content_hash,
            effective_from=start.isoformat(),
            created_at=at.isoformat(),
        )
    )
    connection.commit()
    record: dict[str, Any] = json.loads(content)
    return record
