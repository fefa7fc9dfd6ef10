"""A running service with accounts and orders, and headless Chromium that signs in there."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import Engine

from service import clock
from service.access.sessions import Limits, csrf_of, start
from service.api.auth import limits_of
from service.cli.serve import prepare
from service.db.engine import make_engine
from service.settings import Settings, load_settings
from tests.service.access.conftest import put
from tests.service.conftest import fresh_home, own_store

CHROMIUM = Path(os.environ.get("ZHIPAI_CHROMIUM", "/usr/bin/chromium"))
WIDE, NARROW = (1440, 900), (390, 844)
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars",
)  # fmt: skip
PEOPLE = {"zhang": ("张敏", "dispatcher"), "li": ("李强", "dispatcher"), "shen": ("沈静", "auditor")}


@dataclass
class Site:
    """The service, its database, and the browser. ``said``: what pages wrote to the console as errors; ``ids``: the
    numbers of the morning's orders."""

    base: str
    settings: Settings
    engine: Engine
    browser: Browser
    said: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def token(self, name: str) -> str:
        """A session of an account."""
        limits: Limits = limits_of(self.settings)
        return start(self.engine, name, at=clock.now(self.settings.time_zone), limits=limits)

    def ask(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        """A request as a signed-in person's script would send it."""
        token = self.token(name)
        headers = {"X-CSRF-Token": csrf_of(token), **more.pop("headers", {})}
        return httpx.request(method, self.base + path, cookies={"zhipai": token}, headers=headers, timeout=60, **more)

    def file(self, order_id: str, text: str, **fields: str) -> dict[str, Any]:
        answer = self.ask("zhang", "POST", "/v1/orders", json={"text": text, "order_id": order_id, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def page(
        self, name: str = "", *, size: tuple[int, int] = WIDE, scheme: str = "light", forced: bool = False
    ) -> Page:
        """A page of a new browser window, signed in as ``name`` (empty: as nobody)."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
        )
        self.contexts.append(context)
        if name:
            context.add_cookies([{"name": "zhipai", "value": self.token(name), "url": self.base}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        return page

    def open(self, page: Page, path: str) -> Page:
        page.goto(self.base + path)
        return page


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        pytest.skip(f"没有浏览器 {CHROMIUM}（apt install chromium，或用环境变量 ZHIPAI_CHROMIUM 指定），跳过网页测试")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, str]]:
    with running(tmp_path_factory.mktemp("browser")) as found:
        yield found


@contextmanager
def running(folder: Path) -> Iterator[tuple[Settings, str]]:
    """``zhipai serve`` with two worker processes on a data folder of its own."""
    installed = load_settings()
    prepare(installed)
    config = fresh_home(installed, folder / "home")
    # A model store of its own: the pages promote and roll back.
    mlruns = own_store(installed, config.home.parent / "mlruns")
    config = config.model_copy(update={"mlruns": mlruns})
    engine = make_engine(config.url)
    for name, (display, role) in PEOPLE.items():
        put(engine, name, role, at=clock.now(), display=display)
    engine.dispose()
    port = free_port()
    folders = {"ZHIPAI_HOME": str(config.home), "ZHIPAI_MLRUNS": str(mlruns)}
    environment = {**os.environ, **folders, "ZHIPAI_REQUESTS_PER_MINUTE": "100000"}
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", str(port), "--workers", "2"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait(port, process)
        yield config, f"http://127.0.0.1:{port}"
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        for child in psutil.wait_procs(family, timeout=5)[1]:
            child.kill()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the service answers; a bound for a service that never does, not a measurement."""
    for _ in range(900):
        if process.poll() is not None:
            raise AssertionError(process.stderr.read().decode() if process.stderr else "")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("服务没有应答")


@contextmanager
def site_on(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    """The service with an empty queue; every window is closed afterwards, and none has written an error."""
    config, base = service
    engine = make_engine(config.url)
    _empty(engine)
    one = Site(base, config, engine, chromium)
    yield one
    for context in one.contexts:
        context.close()
    engine.dispose()
    assert one.said == []


@pytest.fixture
def site(service: tuple[Settings, str], chromium: Browser) -> Iterator[Site]:
    with site_on(service, chromium) as one:
        yield one


def _empty(engine: Engine) -> None:
    """Whatever earlier tests left in the queue is no longer waiting. (The log behind it stays, as it should.)"""
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM order_queue")
        connection.exec_driver_sql("DELETE FROM order_presence")


@pytest.fixture
def filled(site: Site) -> Site:
    """The site with a morning's orders."""
    file_morning(site)
    return site


def file_morning(site: Site) -> None:
    """File the orders below, under numbers of their own for each test."""
    test = next(TESTS)
    for number, (text, fields) in enumerate(MORNING, start=1):
        site.ids.append(f"20261120{test:04d}{number:02d}")
        site.file(site.ids[-1], text, **fields)


TESTS = itertools.count(1)


PHONE = {"channel": "电话"}
#: A dispatcher's morning: clear ones, one to be refused, one nobody can place, a repeat, one that lacks everything.
MORNING: tuple[tuple[str, dict[str, str]], ...] = (
    ("临江区滨河路12号楼下烧烤店每晚十点以后还在门口支摊，油烟直往楼上灌，老人孩子咳嗽了半个月，跟店家说过没用，希望有人管管。电话13800001111。", PHONE | {"order_type": "投诉"}),
    ("白鹭区湖滨路从医院到小学那一段路灯坏了三天没人修，晚上接孩子看不见路，要求尽快修好。", {"channel": "微信小程序", "order_type": "求助"}),
    ("我和原来公司的劳动争议法院已经判决生效，我对判决不服，要求12345协调法院改判。电话13900002222。", PHONE | {"order_type": "投诉"}),
    ("再次反映：临江区滨河路12号楼下烧烤店每晚十点以后在门口支摊，油烟往楼上灌，还是没人管，电话13800001111。", PHONE | {"order_type": "投诉"}),
    ("办的那个证到现在没下来，去了两次都说等通知", PHONE),
    ("槐安区外地户口想给孩子办居住证，需要带什么材料，周末能不能办？", PHONE | {"order_type": "咨询"}),
    ("工地包工头拖欠我们十几个人三个月工资，说甲方没给钱，快过年了，希望帮忙要回来，电话13700003333。", PHONE | {"order_type": "求助"}),
    ("小区电梯一个月坏了五次，昨天又把两个人关在里面四十分钟，物业只说在等配件。", {"channel": "微信小程序", "order_type": "投诉"}),
)  # fmt: skip
