"""One error shape everywhere: RFC 9457 problem documents in Chinese with stable codes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from intake.errors import ZhipaiError, register
from service.api.auth import sign_in_page
from service.db.engine import database_error
from service.logging import get_logger

register(
    "E6501",
    "请求不是 JSON",
    "请求的内容不是正确的 JSON。请检查引号、逗号和括号，并设 Content-Type: application/json。",
    status=400,
)
register("E6502", "字段有误", "字段“{field}”不对：{problem}。")
register("E6503", "没有这个地址", "没有这个地址。可用的地址见 /docs。", status=404)
register("E6504", "方法不对", "这个地址不接受这种请求方法。可用的方法见 /docs。", status=405)
register(
    "E6505",
    "内部错误",
    "服务内部出错，已记入日志，刚才的内容没有保存。请稍后重试，并把请求编号告诉管理员。",
    status=500,
)
register("E6506", "请求过大", "请求超过了 {limit} 字节的上限。请去掉附件内容，只提交文字。", status=413)
register(
    "E6507", "编码不是 UTF-8", "请求的内容不是 UTF-8 编码（可能是 GB18030/GBK）。请转成 UTF-8 后再提交。", status=400
)
register("E6508", "请求有误", "请求不能处理（{status}）。可用的地址和格式见 /docs。", status=400)

#: What pydantic says, as a Chinese clause. ``{…}`` come from the error's context.
SAYINGS = {
    "missing": "缺少这个字段",
    "extra_forbidden": "没有这个字段，请检查拼写",
    "string_type": "应为文字",
    "string_too_long": "超过 {max_length} 个字",
    "string_too_short": "太短，至少要有 {min_length} 个字",
    "string_unicode": "含有不成对的代理字符，请用正确的 UTF-8",
    "literal_error": "只能是 {expected}",
    "timezone_aware": "时刻没有时区，请写成 2026-05-01T09:30:00+08:00",
    "datetime_parsing": "不是正确的时刻，请写成 2026-05-01T09:30:00+08:00",
    "datetime_from_date_parsing": "不是正确的时刻，请写成 2026-05-01T09:30:00+08:00",
    "datetime_type": "应为时刻，写成 2026-05-01T09:30:00+08:00",
    "list_type": "应为列表",
    "too_long": "最多 {max_length} 项",
    "model_attributes_type": "应为 JSON 对象",
    "dict_type": "应为 JSON 对象",
    "bool_parsing": "只能是 true 或 false",
}


def problem(error: ZhipaiError, request: Request, **extension: Any) -> Response:
    """Render an error: a page for a person who opened one, a problem document for everything else. The request id is in
    the instance and in the ``X-Request-Id`` header. ``extension``: further members of the document (RFC 9457, 3.2)."""
    # Here, because the pages need the routes, which need this module.
    from service.pages.render import error_page, wants_page

    if wants_page(request):
        return error_page(error, request)
    request_id = getattr(request.state, "request_id", "")
    body: dict[str, Any] = {
        "type": f"/errors#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "instance": f"{request.url.path}#{request_id}",
        "where": error.where,
        **extension,
    }
    headers = {}
    if error.status in (429, 503):
        headers["Retry-After"] = str(error.params.get("seconds", 2))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status_code=error.status, media_type="application/problem+json", headers=headers)


def from_validation(error: RequestValidationError) -> ZhipaiError:
    """The first thing wrong, in Chinese, with a JSON pointer to it. The value itself is never repeated."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return ZhipaiError("E6501")
    location = [str(part) for part in first["loc"]]
    source, path = location[0], location[1:]
    saying = SAYINGS.get(first["type"], "值不合要求")
    context = {key: str(value).replace(" or ", " 或 ") for key, value in (first.get("ctx") or {}).items()}
    name = path[-1] if path else "请求内容"
    where = "/" + "/".join(path) if source == "body" else f"{source}:{name}"
    return ZhipaiError("E6502", {"field": name, "problem": saying.format_map(context)}, where=where)


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(ZhipaiError)
    async def _ours(request: Request, error: ZhipaiError) -> Response:
        if error.status >= 500:
            get_logger().error("request_failed", code=error.code, path=request.url.path)
        return sign_in_page(error, request) or problem(error, request)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return problem(from_validation(error), request)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        codes = {404: "E6503", 405: "E6504", 400: "E6501"}
        if error.status_code in codes:
            return problem(ZhipaiError(codes[error.status_code]), request)
        response = problem(ZhipaiError("E6508", {"status": error.status_code}), request)
        response.status_code = error.status_code
        return response

    @app.exception_handler(DBAPIError)
    async def _database(request: Request, error: DBAPIError) -> Response:
        ours = database_error(error)
        get_logger().error("database_failed", code=ours.code, path=request.url.path)
        return problem(ours, request)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        # The message of an unknown exception may hold order text: only its type is logged.
        get_logger().error("unexpected_error", type=type(error).__name__, path=request.url.path)
        return problem(ZhipaiError("E6505"), request)
