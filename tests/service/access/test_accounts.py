"""Accounts: what an administrator can do, what he cannot, and the record that every change leaves."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, event, select

from intake.errors import ZhipaiError
from service.access.accounts import (
    any_account,
    change_account,
    create_account,
    create_administrator,
    list_accounts,
    reset_password,
)
from service.access.sessions import find, start
from service.db.tables import DECISIONS
from service.db.tables_access import ACCOUNTS
from tests.service.access.conftest import AT, SHELL, order, person, put
from tests.service.access.test_sign_in import LIMITS

ADMIN, SECURITY = person("admin", "admin"), person("security", "security_admin")
NEW = {"display": "张三", "roles": ["dispatcher"], "districts": [], "units": []}


@pytest.fixture
def house(engine: Engine) -> Engine:
    """A database with its two administrators and an auditor."""
    create_administrator(engine, order(), name="admin", security=False)
    create_administrator(engine, order(), name="security", security=True)
    put(engine, "auditor", "auditor")
    return engine


def records(engine: Engine) -> list[dict]:
    with engine.connect() as connection:
        rows = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.kind == "access")).scalars().all()
    return [json.loads(row) for row in rows]


def test_first_account_comes_from_the_command_line(engine: Engine) -> None:
    assert not any_account(engine)
    with pytest.raises(ZhipaiError) as caught:
        create_account(engine, order(ADMIN), name="pd-017", **NEW)
    assert caught.value.code == "E7859" and not any_account(engine)
    password = create_administrator(engine, order(), name="admin", security=False)
    assert any_account(engine) and len(password) == 19


def test_change_of_permission_is_recorded(house: Engine) -> None:
    create_account(house, order(ADMIN), name="pd-017", **NEW)
    change_account(house, order(ADMIN, reason="升任班长"), "pd-017", {"roles": ["shift_lead"], "districts": ["临江区"]})
    made, changed = records(house)[-2:]
    assert (made["action"], made["subject"], made["before"]) == ("create_account", "pd-017", None)
    assert (changed["actor"], changed["role"], changed["reason"]) == ("admin", "admin", "升任班长")
    assert (changed["before"]["roles"], changed["after"]["roles"]) == (["dispatcher"], ["shift_lead"])
    assert changed["after"]["districts"] == ["临江区"]


def test_records_hold_no_secret(house: Engine) -> None:
    password = create_account(house, order(ADMIN), name="pd-017", **NEW)
    again = reset_password(house, order(ADMIN), "pd-017")
    text = json.dumps(records(house), ensure_ascii=False)
    assert len(records(house)) == 4
    assert password not in text and again not in text and "argon2" not in text and "hash" not in text


def test_without_its_record_a_change_did_not_happen(house: Engine) -> None:
    create_account(house, order(ADMIN), name="pd-017", **NEW)
    before = list_accounts(house, ADMIN), len(records(house))

    def fail(_connection, _cursor, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO decisions"):
            raise RuntimeError("no record")

    event.listen(house, "before_cursor_execute", fail)
    for change in (
        lambda: change_account(house, order(ADMIN), "pd-017", {"roles": ["shift_lead"]}),
        lambda: reset_password(house, order(ADMIN), "pd-017"),
        lambda: create_account(house, order(ADMIN), name="pd-018", **NEW),
    ):
        with pytest.raises(RuntimeError):
            change()
    event.remove(house, "before_cursor_execute", fail)
    assert (list_accounts(house, ADMIN), len(records(house))) == before


def test_system_administrator_does_not_see_the_auditor(house: Engine) -> None:
    assert {row["name"] for row in list_accounts(house, ADMIN)} == {"admin"}
    assert {row["name"] for row in list_accounts(house, SECURITY)} == {"admin", "auditor", "security"}
    for actor in (ADMIN, SHELL):
        for attempt in (
            lambda actor=actor: change_account(house, order(actor), "auditor", {"closed": True}),
            lambda actor=actor: reset_password(house, order(actor), "auditor"),
        ):
            with pytest.raises(ZhipaiError) as caught:
                attempt()
            assert caught.value.code == "E7851", "与没有这个账号一样"


def test_security_administrator_makes_and_unmakes_the_auditor(house: Engine) -> None:
    create_account(house, order(ADMIN), name="sj-01", **NEW | {"roles": []})
    change_account(house, order(SECURITY), "sj-01", {"roles": ["auditor"]})
    assert records(house)[-1]["role"] == "security_admin"
    assert "sj-01" not in {row["name"] for row in list_accounts(house, ADMIN)}
    change_account(house, order(SECURITY), "sj-01", {"roles": []})
    assert "sj-01" in {row["name"] for row in list_accounts(house, ADMIN)}


def test_security_administrator_does_not_run_other_accounts(house: Engine) -> None:
    create_account(house, order(ADMIN), name="pd-017", **NEW)
    for attempt in (
        lambda: change_account(house, order(SECURITY), "pd-017", {"closed": True}),
        lambda: reset_password(house, order(SECURITY), "pd-017"),
        lambda: create_account(house, order(SECURITY), name="pd-018", **NEW),
    ):
        with pytest.raises(ZhipaiError) as caught:
            attempt()
        assert caught.value.status == 403


def test_nobody_changes_himself(house: Engine) -> None:
    with pytest.raises(ZhipaiError) as caught:
        change_account(house, order(ADMIN), "admin", {"roles": ["admin", "dispatcher"]})
    assert caught.value.code == "E7853"


def test_shell_helps_an_administrator_who_lost_his_password(house: Engine) -> None:
    assert reset_password(house, order(), "security", at_the_machine=True)
    assert records(house)[-1]["actor"] == "shell:tester"


@pytest.mark.parametrize("change", [{"roles": ["unit"]}, {"closed": True}, {"units": ["某局"]}])
def test_change_signs_out_everywhere(house: Engine, change: dict) -> None:
    put(house, "pd-017", "dispatcher")
    token = start(house, "pd-017", at=AT, limits=LIMITS)
    assert find(house, token, at=AT, limits=LIMITS)
    change_account(house, order(ADMIN), "pd-017", change)
    assert find(house, token, at=AT, limits=LIMITS) is None


@pytest.mark.parametrize("name", ["a", "", "local", "Local", "-a1", "key:abc", "a b", "a" * 65, "a/b", "a\nb", "ab\n"])
def test_bad_name_is_refused(house: Engine, name: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        create_account(house, order(ADMIN), name=name, **NEW)
    assert caught.value.code == "E7850"


@pytest.mark.parametrize("name", ["张三", "pd-017", "a.b@c", "12345"])
def test_good_name_is_taken_once(house: Engine, name: str) -> None:
    create_account(house, order(ADMIN), name=name, **NEW)
    with pytest.raises(ZhipaiError) as caught:
        create_account(house, order(ADMIN), name=name, **NEW)
    assert caught.value.code == "E7852"


def test_reason_is_needed() -> None:
    with pytest.raises(ZhipaiError) as caught:
        order(ADMIN, reason=" ")
    assert caught.value.code == "E7862"


def test_stored_password_is_argon2id(house: Engine) -> None:
    with house.connect() as connection:
        hashes = connection.execute(select(ACCOUNTS.c.password_hash)).scalars().all()
    assert all(one.startswith("$argon2id$") for one in hashes)
