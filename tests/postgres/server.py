"""The PostgreSQL that ``make test-pg`` starts, and databases on it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

WHY = "没有 PostgreSQL：这些测试由 make test-pg 运行，它装好、启动、停止一个"


def server_url() -> sa.URL:
    """The address of the server as its owner; the test is skipped where there is none."""
    address = os.environ.get("ZHIPAI_TEST_POSTGRES")
    if not address:
        pytest.skip(WHY, allow_module_level=True)
    return sa.make_url(address)


def server_folder() -> Path:
    """The folder of the server, which holds its data and its socket."""
    return Path(str(server_url().query["host"]))


def fresh_database(name: str, *, template: str = "template1") -> str:
    """The address of a database of that name, a copy of ``template``; one that stands already is dropped."""
    url = server_url()
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        # A database that somebody uses cannot be copied.
        idle = sa.text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(idle, {"name": template})
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    owner.dispose()
    return url.set(database=name).render_as_string(hide_password=False)
