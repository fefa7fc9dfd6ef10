"""Start the service: checks that give a clear sentence, one service a data folder, several worker processes."""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from sqlalchemy.exc import DBAPIError

from intake.errors import ZhipaiError, register
from service.access.accounts import any_account
from service.access.outbound import is_loopback
from service.db.engine import make_engine, sqlite_file
from service.settings import Settings
from service.settings import settings as settings_of_process

register(
    "E7501",
    "端口被占用",
    "端口 {port} 已被别的程序占用。请先停止它，或换一个端口，例如 make serve PORT={other}。",
    exit_code=3,
)
register(
    "E7502",
    "数据文件夹正在使用",
    "另一个智派服务（进程 {pid}）正在使用数据文件夹“{folder}”。请使用那个服务，或停止它后再启动；"
    "要同时运行两个，请用 ZHIPAI_HOME 指定不同的文件夹。",
    exit_code=3,
)
register(
    "E7503",
    "监听地址不是本机",
    "监听地址“{host}”不是本机地址，{why}。只给本机用请监听 127.0.0.1。",
    exit_code=4,
)
register("E7504", "启动失败", "服务没有启动成功：{problem}", exit_code=3)

STARTUP_ERROR = "startup-error.txt"


def check_host(host: str, *, accounts: bool = False, names: str = "") -> None:
    """Only loopback until people have to sign in (``accounts``) and the ``names`` by which they call the service are set;
    E7503 otherwise."""
    if is_loopback(host):
        return
    if not accounts:
        raise ZhipaiError("E7503", {"host": host, "why": "而还没有账号，请先运行 zhipai users create-admin"})
    if not names.strip():
        raise ZhipaiError("E7503", {"host": host, "why": "请在 ZHIPAI_ALLOWED_HOSTS 写明用户访问时用的主机名"})


def accounts_exist(settings: Settings) -> bool:
    """Whether somebody has an account; no for a database that is not there or not set up."""
    file = sqlite_file(settings.url)
    if file is not None and not file.is_file():
        return False
    engine = make_engine(settings.url, busy_seconds=settings.busy_seconds)
    try:
        return any_account(engine)
    except (ZhipaiError, DBAPIError):
        return False
    finally:
        engine.dispose()


def check_port(host: str, port: int) -> None:
    """Raise E7501 if nobody can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ZhipaiError("E7501", {"port": port, "other": port + 1}) from error


@contextmanager
def sole_service(home: Path) -> Iterator[None]:
    """Hold the data folder: a second service on the same SQLite file is refused with the process id of the first.

    The lock is the kernel's, so that a killed service leaves nothing to clean up.
    """
    path = home / "serve.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ZhipaiError("E7502", {"pid": file.read().strip() or "未知", "folder": home.name}) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def serve(settings: Settings, *, on_ready: Callable[[], None]) -> None:
    """Run until stopped. ``on_ready`` is called once, when the first worker answers ``/readyz``.

    Raises
    ------
    ZhipaiError
        E7501–E7504.
    """
    check_host(settings.host, accounts=accounts_exist(settings), names=settings.allowed_hosts)
    check_port(settings.host, settings.port)
    with sole_service(settings.home):
        metrics = settings.home / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        # The workers read the settings for themselves, and share the cores of the machine by this number. A single worker
        # is this process, which may have read them before.
        os.environ["ZHIPAI_WORKERS"] = str(settings.workers)
        settings_of_process.cache_clear()
        failure = settings.home / STARTUP_ERROR
        failure.unlink(missing_ok=True)
        watcher = threading.Thread(target=_watch, args=(settings, failure, on_ready), daemon=True)
        watcher.start()
        # uvicorn exits when a worker could not start; the sentence below says why.
        with suppress(SystemExit):
            uvicorn.run(
                "service.api.app:create_app",
                factory=True,
                host=settings.host,
                port=settings.port,
                workers=settings.workers,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_worker_healthcheck=30,
                timeout_graceful_shutdown=10,
            )
        if failure.is_file():
            raise ZhipaiError("E7504", {"problem": failure.read_text(encoding="utf-8")})


def _watch(settings: Settings, failure: Path, on_ready: Callable[[], None]) -> None:
    """Say when the service answers; stop it when a worker says it cannot start."""
    while True:
        if failure.is_file():
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if _answers(settings.host, settings.port):
            on_ready()
            return
        time.sleep(0.2)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz", headers={"Host": "127.0.0.1"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
