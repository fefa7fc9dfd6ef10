"""What the log holds in place of personal data: it opens with the data and the salt, and with nothing else."""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import text

from intake.pii import mask_pii
from service.db.engine import reading
from service.privacy.commitments import commit, opens, seal
from service.privacy.fields import order_fields, proposal_fields, together, without
from service.privacy.store import filed_orders, is_open, opened, read_shown

from .conftest import PHONE, TEXT


def test_commitment_opens_with_its_fields_only() -> None:
    sealed = seal({"/text": "电话13987654321"}, owner="o-1")
    assert opens(sealed.commitment, sealed.fields, owner="o-1", salt=sealed.salt)
    for fields, owner, salt in (
        ({"/text": "电话13987654322"}, "o-1", sealed.salt),
        ({"/title": "电话13987654321"}, "o-1", sealed.salt),
        (sealed.fields, "o-2", sealed.salt),
        (sealed.fields, "o-1", bytes(32)),
    ):
        assert not opens(sealed.commitment, fields, owner=owner, salt=salt)


def test_the_same_fields_never_give_the_same_commitment() -> None:
    """Otherwise two orders of one caller could be told from the log alone."""
    assert seal({"/text": "甲"}, owner="o").commitment != seal({"/text": "甲"}, owner="o").commitment


def test_commitment_is_rfc_2104() -> None:
    """Recomputed by hand, as an auditor would who does not trust this software."""
    salt, message = b"\x01" * 32, '{"fields":{"/text":"甲"},"owner":"o"}'.encode()
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in salt.ljust(64, b"\0")) + message).digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in salt.ljust(64, b"\0")) + inner).hexdigest()
    assert commit({"/text": "甲"}, owner="o", salt=salt) == f"hmac-sha256:{outer}"


def test_fields_taken_out_go_back_where_they_were(file) -> None:
    proposal = file("o-1", decided=False)
    fields = proposal_fields(proposal)
    assert {"/order/text", "/order/title", "/order/street", "/order/community", "/elements/target"} <= set(fields)
    assert any(path.startswith("/units/0/evidence/") for path in fields)
    assert together(without(proposal, fields), fields) == proposal
    assert json.dumps(proposal) != json.dumps(without(proposal, fields)), "原件不能被改动"


def test_nothing_of_the_text_stands_outside_the_side_table(engine, file) -> None:
    """Original or masked: not in the log, not with the order, not with the proposal, not in the outbox."""
    record = file("o-1")
    masked = mask_pii(TEXT).text
    told = [TEXT[2:6], PHONE, masked[:12], "烧烤店油烟", "翠湖花园", "翠湖社区"]
    with reading(engine) as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        for name in names:
            rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
            content = "\n".join(
                value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                for row in rows
                for value in row
            )
            content = content.encode().decode("unicode_escape", "ignore") if "\\u" in content else content
            found = [word for word in told if word in content]
            if name == "personal_data":
                assert set(found) >= {PHONE, "烧烤店油烟"}
            elif name not in ("entries", "entry_events", "snapshot_parts"):
                assert not found, f"{name}：{found}"
    assert record["proposal"]["order"]["text"] == ""
    assert record["masked_paths"] == record["proposal"]["order"]["masked_paths"] != []


def test_what_is_opened_is_what_was_filed_and_shown(engine, file, snapshot) -> None:
    record = file("o-1")
    with reading(engine) as connection:
        order = filed_orders(connection, ["o-1"])["o-1"]
        shown = read_shown(connection, record["proposal_id"])
        filed = opened(connection, "filed", ["o-1"])["o-1"]
        seen = opened(connection, "shown", [record["proposal_id"]])[record["proposal_id"]]
    assert order["text"] == TEXT
    assert PHONE not in shown["order"]["text"] and "烧烤店" in shown["order"]["text"]
    assert is_open(record["proposal"]["withheld"]["order_as_filed"], "o-1", filed)
    assert is_open(record["proposal"]["withheld"]["commitment"], record["proposal_id"], seen)
    assert sorted(seen.fields) == record["proposal"]["withheld"]["paths"]
    assert set(order_fields(order)) == {"/text", "/title", "/street", "/community"}
