"""Passwords, lock-out, one-time passwords and sessions, on a clock that the test holds."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from intake.errors import ZhipaiError
from service.access.accounts import change_own_password, create_administrator, reset_password
from service.access.passwords import (
    PasswordRule,
    check_password,
    common_passwords,
    hash_password,
    is_password,
    one_time_password,
)
from service.access.sessions import Limits, end, end_all, find, hash_of, start
from service.access.sign_in import ONE_TIME_HOURS, LockRule, sign_in
from service.db.tables_access import ACCESS_SESSIONS, SIGN_IN_FAILURES
from tests.service.access.conftest import AT, PASSWORD, order, put

RULE = LockRule(failures=3)
LIMITS = Limits(idle=timedelta(minutes=30), longest=timedelta(hours=12))


def attempt(engine: Engine, name: str, password: str, at: datetime) -> str:
    """What happened: the account, or the code of the refusal."""
    try:
        return sign_in(engine, name, password, rule=RULE, at=at)
    except ZhipaiError as error:
        return error.code


def test_right_and_wrong(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    put(engine, "gone", "dispatcher", closed=True)
    assert attempt(engine, "pd-017", PASSWORD, AT) == "pd-017"
    assert {
        attempt(engine, "pd-017", "wrong", AT),
        attempt(engine, "nobody", PASSWORD, AT),
        attempt(engine, "gone", PASSWORD, AT),
        attempt(engine, "", "", AT),
    } == {"E6522"}, "不说是哪里错了"


@pytest.mark.parametrize("name", ["pd-017", "nobody"])
def test_wait_grows_for_a_name_whether_it_exists_or_not(engine: Engine, name: str) -> None:
    put(engine, "pd-017", "dispatcher")
    now, waits = AT, []
    for _ in range(3):
        assert attempt(engine, name, "wrong", now) == "E6522"
    for _ in range(8):
        with pytest.raises(ZhipaiError) as caught:
            sign_in(engine, name, PASSWORD, rule=RULE, at=now)
        assert caught.value.code == "E6529", "锁定时对的密码也不行"
        waits.append(caught.value.params["seconds"])
        now += timedelta(seconds=waits[-1])
        assert attempt(engine, name, "wrong", now) == "E6522"
    assert waits[:4] == [61, 121, 241, 481] and max(waits) == 3601


def test_success_forgets_the_failures(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    for _ in range(4):
        assert [attempt(engine, "pd-017", "wrong", AT) for _ in range(2)] == ["E6522", "E6522"]
        assert attempt(engine, "pd-017", PASSWORD, AT) == "pd-017"


def test_clock_that_steps_back_does_not_lock_for_ever(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    for _ in range(3):
        attempt(engine, "pd-017", "wrong", AT)
    assert attempt(engine, "pd-017", PASSWORD, AT - timedelta(days=2)) == "pd-017"


def test_failures_do_not_pile_up_and_hold_no_name(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    for number in range(5):
        attempt(engine, f"my password {number}", "x", AT)
    attempt(engine, "pd-017", "wrong", AT + timedelta(days=2))
    with engine.connect() as connection:
        rows = connection.execute(select(SIGN_IN_FAILURES)).all()
    assert len(rows) == 1 and "password" not in str(rows) and "pd-017" not in str(rows)


def test_reset_unlocks_and_has_to_be_changed(engine: Engine) -> None:
    create_administrator(engine, order(), name="admin", security=False)
    put(engine, "pd-017", "dispatcher")
    for _ in range(3):
        attempt(engine, "pd-017", "wrong", AT)
    once = reset_password(engine, order(), "pd-017")
    assert attempt(engine, "pd-017", PASSWORD, AT) == "E6522"
    assert attempt(engine, "pd-017", once, AT) == "pd-017"
    token = start(engine, "pd-017", at=AT, limits=LIMITS)
    found = find(engine, token, at=AT, limits=LIMITS)
    assert found is not None and found.must_change
    change_own_password(engine, "pd-017", old=once, new=PASSWORD, rule=PasswordRule(), at=AT)
    assert find(engine, token, at=AT, limits=LIMITS) is None, "改密码后别处的会话都退出"
    assert attempt(engine, "pd-017", PASSWORD, AT) == "pd-017"


def test_one_time_password_expires(engine: Engine) -> None:
    once = create_administrator(engine, order(), name="admin", security=False)
    late = AT + timedelta(hours=ONE_TIME_HOURS, seconds=1)
    assert attempt(engine, "admin", once, late) == "E6531"


def test_old_password_has_to_be_changed(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    late = AT + timedelta(days=91)
    sign_in(engine, "pd-017", PASSWORD, rule=LockRule(password_days=90), at=late)
    session = find(engine, start(engine, "pd-017", at=late, limits=LIMITS), at=late, limits=LIMITS)
    assert session is not None and session.must_change


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short", "至少 12 个字符"),
        ("x1" * 65, "最多 128"),
        ("Admin@123456", "太常见"),
        ("我是pd-017没错吧这样", "账号名"),
        ("aaaabbbbaaaabbbb", "不同的字符太少"),
    ],
)
def test_weak_password_is_refused(password: str, says: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_password(password, name="pd-017", rule=PasswordRule())
    assert caught.value.code == "E7857" and says in caught.value.message and password not in caught.value.message


def test_classes_may_be_asked_for() -> None:
    rule = PasswordRule(length=12, classes=3)
    check_password("Zhong Wen 2026 hao", name="pd-017", rule=rule)
    with pytest.raises(ZhipaiError, match="E7857"):
        check_password("onlylowercaseletters", name="pd-017", rule=rule)


def test_common_passwords_are_in_lower_case_and_long_enough_to_matter() -> None:
    assert all(word == word.lower() and len(word) >= 8 for word in common_passwords())


def test_one_time_passwords_differ_and_keep_the_rule() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_password(password, name="pd-017", rule=PasswordRule())


def test_same_characters_from_another_keyboard() -> None:
    stored = hash_password("ｆｕｌｌｗｉｄｔｈ密码１２３")
    assert is_password("fullwidth密码123", stored) and not is_password("fullwidth密码124", stored)
    assert not is_password("anything", None) and not is_password("anything", "not a hash")


def test_own_password_needs_the_old_one(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    for old, new, code in (("wrong", "a new long one 1", "E7861"), (PASSWORD, PASSWORD, "E7857")):
        with pytest.raises(ZhipaiError) as caught:
            change_own_password(engine, "pd-017", old=old, new=new, rule=PasswordRule(), at=AT)
        assert caught.value.code == code


def test_session_ends_without_use_and_at_last(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    token = start(engine, "pd-017", at=AT, limits=LIMITS)
    assert find(engine, token, at=AT + timedelta(minutes=31), limits=LIMITS) is None
    token, now = start(engine, "pd-017", at=AT, limits=LIMITS), AT
    while now < AT + timedelta(hours=12):
        assert find(engine, token, at=now, limits=LIMITS), now
        now += timedelta(minutes=20)
    assert find(engine, token, at=now, limits=LIMITS) is None, "一直在用也有尽头"
    assert find(engine, token, at=AT - timedelta(hours=1), limits=LIMITS) is None, "时钟倒退不延长会话"


def test_sign_out_here_and_everywhere(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    put(engine, "pd-018", "dispatcher")
    one, two, other = (start(engine, name, at=AT, limits=LIMITS) for name in ("pd-017", "pd-017", "pd-018"))
    end(engine, one)
    assert find(engine, one, at=AT, limits=LIMITS) is None and find(engine, two, at=AT, limits=LIMITS)
    assert end_all(engine, "pd-017") == 1
    assert find(engine, two, at=AT, limits=LIMITS) is None and find(engine, other, at=AT, limits=LIMITS)


def test_only_a_hash_of_the_token_is_stored(engine: Engine) -> None:
    put(engine, "pd-017", "dispatcher")
    token = start(engine, "pd-017", at=AT, limits=LIMITS)
    session = find(engine, token, at=AT, limits=LIMITS)
    with engine.connect() as connection:
        stored = connection.execute(select(ACCESS_SESSIONS)).mappings().one()
    assert stored["token_hash"] == hash_of(token) and token not in str(dict(stored))
    assert session is not None and len(token) >= 43 and session.csrf not in (token, hash_of(token))
