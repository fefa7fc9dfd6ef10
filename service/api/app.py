"""The application factory."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from intake.errors import ZhipaiError
from service import clock, pages
from service.api import (
    access_pages,
    access_routes,
    audit_query_routes,
    audit_routes,
    case_routes,
    kb_import_routes,
    kb_life_routes,
    kb_routes,
    order_routes,
    problems,
    replay_routes,
    routes,
    ruling_routes,
    shadow_routes,
    similar_routes,
)
from service.api.middleware import Gatekeeper
from service.logging import configure, get_logger
from service.readiness import calendar_says
from service.runtime import Runtime
from service.serve import STARTUP_ERROR
from service.settings import Settings, settings
from service.version import VERSION

DESCRIPTION = """
智派为 12345 / 接诉即办的派单员给出建议：派给谁、为什么、什么时候到期、能不能不受理。**决定由人作出**，软件只建议、核对和留痕。

先 `POST /v1/triage` 取得建议，再 `POST /v1/decisions` 采纳或改派。所有错误都是 RFC 9457 的 `application/problem+json`，编号见 `GET /v1/errors`。
"""


def create_app(chosen: Settings | None = None) -> FastAPI:
    """Make the application. The snapshot is loaded when it starts, not when it is imported.

    Parameters
    ----------
    chosen : Settings or None
        Settings to use; None reads the environment.
    """
    config = chosen or settings()
    configure(config.log_format)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.runtime = Runtime(config)
        except ZhipaiError as error:
            # The parent process reads this and says it; a worker has no terminal of its own.
            (config.home / STARTUP_ERROR).write_text(str(error), encoding="utf-8")
            raise
        app.state.disagreements_seen = 0
        # What was loaded stays: without this the collector walks through dictionaries and models in the middle of a call.
        gc.collect()
        gc.freeze()
        app.state.runtime.start()
        get_logger().info("started", version=VERSION, model=app.state.runtime.snapshot.ids.model)
        calendar = calendar_says(app.state.runtime.snapshot.calendar, today=clock.now(config.time_zone).date())
        if not calendar.startswith("ok"):
            get_logger().warning("calendar_ends", says=calendar)
        yield
        app.state.runtime.close()
        # Where one process runs several applications one after the other, what each held can go.
        gc.unfreeze()

    app = FastAPIOffline(
        redoc_url=None,
        title="智派 Zhipai",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_tags=[
            {"name": "派单", "description": "取得建议、作出决定、查看记录"},
            {"name": "研判", "description": "问一个关口：能不能、应当怎样、依据什么、怎样会变"},
            {"name": "申请", "description": "承办单位的退单、延期、不纳入考核、挂账，和审核"},
            {"name": "知识库", "description": "条目的起草、审核、发布、版本与到期"},
            {"name": "审计", "description": "查、导出、统计决定日志"},
            {"name": "权限", "description": "我是谁、能做什么；账号、角色和接口密钥"},
            {"name": "运维", "description": "健康检查与指标"},
        ],
    )
    problems.install(app)
    app.include_router(routes.router)
    app.include_router(order_routes.router)
    app.include_router(ruling_routes.router)
    app.include_router(case_routes.router)
    app.include_router(shadow_routes.router)
    app.include_router(audit_query_routes.router)
    app.include_router(audit_routes.router)
    app.include_router(replay_routes.router)
    app.include_router(similar_routes.router)
    app.include_router(kb_import_routes.router)
    app.include_router(kb_life_routes.router)
    app.include_router(kb_routes.router)
    app.include_router(access_routes.router)
    app.include_router(access_pages.router)
    pages.install(app)
    app.add_middleware(
        Gatekeeper,
        max_body_bytes=config.max_body_bytes,
        max_upload_bytes=config.max_upload_bytes,
        hosts=config.host_names,
    )
    return app
