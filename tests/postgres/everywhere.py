"""A pytest plugin (``-p tests.postgres.everywhere``): the tests of the service run on PostgreSQL as they stand.

Wherever a test opens a SQLite file, it gets a database of its own on the server instead; a file that holds rows already
(the installed knowledge) is carried over row by row. The product's code is the same: only the address is another.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from service.db import engine as engine_module
from tests.postgres.carry import address_of
from tests.postgres.carry import make_engine as real

BEHIND = "绕过程序改 SQLite 的文件；PostgreSQL 的在 test_proofs.py"
#: Part of a test's name → why it is about SQLite and nothing else.
ABOUT_SQLITE = {
    "test_locked_database_says_so": "SQLite 的写锁；PostgreSQL 的在 test_faults.py",
    "test_read_only_database_says_so": "只读打开的文件",
    "test_full_disk_says_so": "SQLite 的页数上限；PostgreSQL 的在 test_faults.py",
    "test_connection_cut_in_the_middle": "关掉的是 SQLite 的连接；PostgreSQL 的在 test_faults.py",
    "test_no_byte_of_an_erased_value": "逐字节查 SQLite 的文件",
    "test_a_reader_in_the_way_is_told": "SQLite 的预写日志",
    "test_two_processes_at_once": "子进程用文件的地址；PostgreSQL 的在 test_workers.py",
    "test_nothing_is_appended_to_a_log_whose_tree": BEHIND,
    "test_an_altered_archive": BEHIND,
    "test_a_part_that_was_not_kept": BEHIND,
    "test_personal_data_that_was_altered": BEHIND,
    "test_a_different_result_is_listed": BEHIND,
    "test_database_in_use_gets_a_life": "旧库的行用 SQLite 的写法插入",
    "test_rows_that_were_changed_in_the_file": BEHIND,
    "test_a_decision_without_a_proposal_cannot": BEHIND,
    "test_a_checkpoint_of_a_history_that_was": BEHIND,
    "test_a_log_that_contradicts_its_last": BEHIND,
    "test_a_log_that_was_tampered_with": BEHIND,
    "test_a_rotation_that_cannot_be_recorded": BEHIND,
}


def make_engine(url: str, **options: Any) -> sa.Engine:
    """As the service makes one, at the address that stands for ``url``."""
    file = engine_module.sqlite_file(url)
    return real(url if file is None else address_of(file), **options)


engine_module.make_engine = make_engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, why in ABOUT_SQLITE.items():
            if name in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=why))
