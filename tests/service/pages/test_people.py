"""Who did something, on the pages: the name of an account, one query a page, and words for what is no person."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, insert

from intake.errors import ZhipaiError
from intake.order import WorkOrder
from service import clock
from service.access.accounts import create_administrator
from service.access.names import account_of, person
from service.access.sessions import csrf_of, start
from service.api.auth import limits_of
from service.db.engine import writing
from service.db.tables_access import ACCESS_KEYS
from service.filing import file_order
from service.runtime import Runtime
from tests.service.access.conftest import order, put
from tests.service.pages.conftest import SMOKE
from tests.service.pages.test_workbench import HX, KEY

NAMES = {"zhang": "张敏", "zhang2": "张敏", "li": "李强", "key:ab12": "市平台"}


@pytest.mark.parametrize(
    ("actor", "said", "account"),
    [
        ("zhang", "张敏", "zhang"),
        ("王五", "王五", ""),
        ("local", "本机", ""),
        ("system", "系统", ""),
        ("import", "文件导入", ""),
        ("zhipai train", "命令行训练", ""),
        ("shell:root", "命令行 root", "shell:root"),
        ("key:ab12", "接口 市平台", "key:ab12"),
        ("key:none", "接口 none", "key:none"),
        ("key:ab12/li", "李强（经接口 市平台）", "key:ab12/li"),
        ("key:ab12/赵六", "赵六（经接口 市平台）", "key:ab12/赵六"),
        ("", "有人", ""),
    ],
)
def test_what_a_person_reads(actor: str, said: str, account: str) -> None:
    found = person(actor, NAMES)
    assert (found.said, found.account) == (said, account)


def test_a_name_that_was_typed_stands_for_what_the_records_hold() -> None:
    assert account_of("李强", NAMES) == ["li"] and account_of("li", NAMES) == ["li"]
    assert account_of("张敏", NAMES) == ["zhang", "zhang2"]
    assert account_of("文件导入", NAMES) == ["import"] and account_of("王五", NAMES) == ["王五"]


@pytest.mark.parametrize("name", ["import", "system", "local", "System"])
def test_no_account_is_called_like_what_is_no_person(engine: Engine, name: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        create_administrator(engine, order(), name=name, security=False)
    assert caught.value.code == "E7850"


@pytest.fixture
def signed_in(bench: TestClient) -> TestClient:
    """张敏 at her desk, who has a namesake; an order out of a file waits."""
    state = runtime(bench)
    now = clock.now(state.settings.time_zone)
    for name, display, role in (
        ("zhang", "张敏<b>", "dispatcher"), ("li", "李强", "dispatcher"), ("shen", "沈静", "auditor"), ("shen2", "沈静", "auditor")
    ):  # fmt: skip
        put(state.engine, name, role, at=now, display=display)
    file_order(state.engine, WorkOrder(SMOKE, order_id="N-1"), snapshot=state.snapshot, actor="import", at=now)
    become(bench, "zhang")
    return bench


def runtime(bench: TestClient) -> Runtime:
    return bench.app.state.runtime  # type: ignore[attr-defined,no-any-return]


def become(bench: TestClient, name: str) -> None:
    state = runtime(bench)
    token = start(state.engine, name, at=clock.now(state.settings.time_zone), limits=limits_of(state.settings))
    bench.cookies.set("zhipai", token)
    bench.headers["X-CSRF-Token"] = csrf_of(token)


def test_pages_say_the_name_and_keep_the_account_beside_it(signed_in: TestClient) -> None:
    page = signed_in.get("/workbench/orders/N-1", headers=HX).text
    assert "文件导入　登记" in page
    form = {
        "proposal_id": re.findall(r'name="proposal_id" value="([^"]+)"', page)[0],
        "unit": re.findall(r'name="choice" value="([^"]+)"', page)[0],
        "revision": "1",
        "key": next(KEY),
    }
    assert signed_in.post("/workbench/orders/N-1/dispatch", data=form, headers=HX).status_code == 200
    page = signed_in.get("/workbench/orders/N-1", headers=HX).text
    assert page.count('<span title="记录里是 zhang">张敏&lt;b&gt;</span>') == 2, "经过里，和“已决定”里"
    become(signed_in, "li")
    late = signed_in.post("/workbench/orders/N-1/dispatch", data=form | {"key": next(KEY)}, headers=HX)
    assert late.status_code == 409 and late.json()["detail"].startswith("张敏<b>已于")


def test_the_log_is_found_by_name_and_a_page_asks_for_names_once(signed_in: TestClient) -> None:
    test_pages_say_the_name_and_keep_the_account_beside_it(signed_in)
    become(signed_in, "shen")
    engine, asked = runtime(signed_in).engine, []

    def count(connection, cursor, statement, *rest) -> None:  # type: ignore[no-untyped-def]
        asked.extend([statement] if "access_keys" in statement else [])

    event.listen(engine, "before_cursor_execute", count)
    page = signed_in.get("/audit", params={"actor": "张敏<b>"}).text
    event.remove(engine, "before_cursor_execute", count)
    assert 'title="记录里是 zhang"' in page and "N-1" in page
    assert len(asked) == 1, asked
    assert "actor=zhang" in page, "导出的地址用账号"
    assert "没有符合条件的记录" in signed_in.get("/audit", params={"actor": "李强"}).text
    several = signed_in.get("/audit", params={"actor": "沈静"})
    assert several.status_code == 422 and "shen、shen2" in several.text and 'value="沈静"' in several.text


def test_a_key_is_called_by_its_title(signed_in: TestClient) -> None:
    state = runtime(signed_in)
    now = clock.now(state.settings.time_zone)
    row = {
        "key_id": "ab12", "secret_hash": "-", "title": "市平台", "roles": [], "actions": None, "districts": [],
        "units": [], "created_by": "shen", "created_at": now.isoformat(), "expires_at": now.isoformat(),
    }  # fmt: skip
    with writing(state.engine) as connection:
        connection.execute(insert(ACCESS_KEYS).values(row))
        connection.commit()
    file_order(state.engine, WorkOrder(SMOKE, order_id="N-2"), snapshot=state.snapshot, actor="key:ab12", at=now)
    assert "接口 市平台" in signed_in.get("/workbench/orders/N-2", headers=HX).text
