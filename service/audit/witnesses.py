"""The checkpoints that vouch for a log: those in its database, and those that lie in folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from intake.errors import ZhipaiError
from service.audit.checkpoint import checkpoints_in
from service.audit.note import Checkpoint, PublicKey, parse_checkpoint
from service.audit.report import Report
from service.db.tables_audit import LOG_CHECKPOINTS


@dataclass(slots=True)
class Witnesses:
    """Checkpoints whose signature holds, by size; compared as a verification reaches their size."""

    by_size: dict[int, list[tuple[str, Checkpoint]]] = field(default_factory=lambda: defaultdict(list))
    #: The largest size at which the log agreed.
    agreed: int = 0
    contradicted: bool = False

    def gather(self, source: list[tuple[str, str]], keys: Sequence[PublicKey], report: Report) -> None:
        """Take in notes by name. One that cannot be read, is of another log or is not signed by a known key is a
        problem and vouches for nothing."""
        for name, note in source:
            try:
                checkpoint = parse_checkpoint(note, name=name)
            except ZhipaiError as error:
                report.found("checkpoint", error.message, sequence=0)
                continue
            if checkpoint.origin != report.origin:
                says = f"检查点 {name} 是另一份日志“{checkpoint.origin}”的，这份日志是“{report.origin}”。"
                report.found("checkpoint", says, sequence=checkpoint.size)
            elif checkpoint.verify(list(keys)) is None:
                known = {(key.name, key.id) for key in keys}
                signed = any((name, key_id) in known for name, key_id, _ in checkpoint.signatures)
                why = "签名与内容不符" if signed else "不是已知的密钥签的，请用 --key 给出公钥"
                report.found("checkpoint", f"检查点 {name} {why}。", sequence=checkpoint.size)
            else:
                self.by_size[checkpoint.size].append((name, checkpoint))

    def compare(self, size: int, root: bytes, report: Report) -> None:
        """Compare those of one size with the root of the log at that size."""
        for name, checkpoint in self.by_size.pop(size, ()):
            if checkpoint.root == root:
                report.checkpoints += 1
                self.agreed = report.vouched = size
            elif not self.contradicted:
                self.contradicted = True
                says = (
                    f"日志前 {size} 条与检查点 {name} 不符：第 {self.agreed + 1} 至 {size} 号之间的历史"
                    "在签发之后被改写过（连同摘要和校验树一起重算）。"
                )
                report.found("rewritten", says, sequence=self.agreed + 1, last=size)
            else:
                says = f"日志前 {size} 条与检查点 {name} 也不符。"
                report.found("rewritten", says, sequence=self.agreed + 1, last=size)

    def beyond(self, size: int, report: Report) -> None:
        """Those that saw more records than there are."""
        for more in sorted(one for one in self.by_size if one > size):
            name, _ = self.by_size[more][0]
            says = f"检查点 {name} 签过 {more} 条，日志只剩 {size} 条：第 {size + 1} 至 {more} 号不见了。"
            report.found("truncated", says, sequence=size + 1, last=more)


def gather_witnesses(
    connection: Connection, folders: Sequence[Path], keys: Sequence[PublicKey], report: Report
) -> Witnesses:
    """From the database and the folders. A checkpoint that lies in several places counts once for each."""
    witnesses = Witnesses()
    for folder in folders:
        witnesses.gather(checkpoints_in(folder), keys, report)
    rows = connection.execute(select(LOG_CHECKPOINTS.c.id, LOG_CHECKPOINTS.c.note).order_by(LOG_CHECKPOINTS.c.id))
    witnesses.gather([(f"数据库第 {row.id} 个", row.note) for row in rows], keys, report)
    return witnesses
