"""Settings: a wrong one is named, logs never carry what a citizen said."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from intake.errors import ZhipaiError
from service import serve
from service.logging import drop_personal
from service.readiness import calendar_says
from service.serve import accounts_exist, check_host
from service.settings import Settings, load_settings, settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("ZHIPAI_PORT", "八千"), ("ZHIPAI_WORKERS", "0"), ("ZHIPAI_TIME_ZONE", "Mars"), ("ZHIPAI_RULE_ENGINE", "drools")],
)
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ZhipaiError) as caught:
        load_settings()
    assert caught.value.code == "E7001"
    assert name in caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_may_be_bound(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_other_addresses_may_not(host: str) -> None:
    with pytest.raises(ZhipaiError) as caught:
        check_host(host)
    assert caught.value.code == "E7503"


def test_other_addresses_may_be_bound_when_people_sign_in() -> None:
    check_host("0.0.0.0", accounts=True, names="zhipai.example")
    with pytest.raises(ZhipaiError) as caught:
        check_host("0.0.0.0", accounts=True)
    assert caught.value.code == "E7503" and "ZHIPAI_ALLOWED_HOSTS" in caught.value.message


def test_no_database_has_no_account(tmp_path: Path) -> None:
    assert not accounts_exist(load_settings(home=tmp_path))
    assert not list(tmp_path.iterdir()), "只是看看，不建任何文件"


def test_log_drops_what_a_citizen_said() -> None:
    event = drop_personal(
        None, "info", {"event": "x", "text": "我叫张三", "phone": "13900000000", "path": "/v1/triage"}
    )
    assert "张三" not in str(event) and "13900000000" not in str(event)
    assert event["path"] == "/v1/triage"


class _Calendar:
    """Stands for a calendar with a coverage end; nothing else is asked of it here."""

    def __init__(self, end: date):
        self.coverage_end = end


@pytest.mark.parametrize(
    ("today", "end", "says"),
    [
        (date(2026, 10, 31), date(2026, 12, 31), "ok"),
        (date(2026, 11, 1), date(2026, 12, 31), "提醒"),
        (date(2026, 11, 1), date(2027, 12, 31), "ok"),
        (date(2027, 1, 1), date(2026, 12, 31), "失败"),
        (date(2026, 12, 31), date(2026, 12, 31), "提醒"),
    ],
)
def test_calendar_warns_from_november(today: date, end: date, says: str) -> None:
    assert calendar_says(_Calendar(end), today=today).startswith(says)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cores", "workers", "each"), [(2, 2, 1), (2, 1, 2), (1, 4, 1), (8, 3, 2)])
def test_workers_share_the_cores(monkeypatch, cores, workers, each):
    monkeypatch.setattr("service.settings.usable_cores", lambda: cores)
    assert load_settings(workers=workers).cores_each == each


def test_a_single_worker_counts_on_the_workers_of_the_command(config: Settings, monkeypatch) -> None:
    """It is this process, and has read the settings before the command's option was known."""
    monkeypatch.setenv("ZHIPAI_WORKERS", "2")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    settings.cache_clear()
    assert settings().workers == 2
    seen: list[int] = []
    monkeypatch.setattr(serve, "_watch", lambda *_: None)
    monkeypatch.setattr(serve.uvicorn, "run", lambda *_, **__: seen.append(settings().workers))
    try:
        serve.serve(config.model_copy(update={"workers": 1, "port": 18999}), on_ready=lambda: None)
    finally:
        settings.cache_clear()
    assert seen == [1]
