"""``POST /v1/kb/import``: a file of entries over HTTP, as drafts; with a result for every row."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from pydantic import BaseModel, Field

from service import clock
from service.access import Actor
from service.api.auth import named, needs
from service.api.routes import PROBLEM, runtime
from service.kb_uploads import keep_upload, report_rows, run_upload
from service.version import VERSION

#: Rows whose result is in the answer.
MOST_ROWS = 1000
router = APIRouter(tags=["知识库"])
Short = Annotated[str, Form(max_length=200)]


class ImportedOut(BaseModel):
    """导入结果：每一行怎样了。"""

    rows: int = Field(description="共几行", examples=[120])
    added: int = Field(examples=[100])
    changed: int = Field(examples=[10])
    unchanged: int = Field(examples=[8])
    kept: int = Field(description="未动：已有别人在改的草稿或待审稿", examples=[1])
    failed: int = Field(description="有错误的行数", examples=[1])
    notes: list[str] = Field(description="其他要知道的", examples=[[]])
    first_error: str = Field(examples=[""])
    results: list[str] = Field(
        description=f"每一行的结果，按原来的次序，最多 {MOST_ROWS} 行", examples=[["新增", "更新"]]
    )
    dry_run: bool = Field(examples=[True])


@router.post(
    "/v1/kb/import",
    summary="导入一份条目文件",
    response_model=ImportedOut,
    responses={
        413: PROBLEM | {"description": "文件过大"},
        422: PROBLEM | {"description": "文件不能读，或没有一行可以导入"},
    },
)
def import_file(
    request: Request,
    who: Annotated[Actor, Depends(needs("kb.import"))],
    file: Annotated[UploadFile, File(description=".xlsx、.csv、.jsonl；.docx、.pdf 政策文件按条切成草稿")],
    way: Annotated[Literal["draft", "submit"], Form(description="draft 存为草稿 / submit 存为草稿并送审")] = "draft",
    dry_run: Annotated[bool, Form(description="只检查，什么也不写")] = False,
    actor: Annotated[str, Form(max_length=64, description="导入人；登录后不用填")] = "",
    reason: Annotated[str, Form(max_length=2000, description="理由")] = "",
    sheet: Short = "",
    unit: Short = "",
    district: Short = "",
    effective_from: Annotated[str, Form(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = "",
) -> dict[str, Any]:
    """一行有错不影响别的行；同样的文件再导入一次，什么也不变。导入的都是草稿：作者不能审核自己的条目，文件也一样。"""
    state = runtime(request)
    at = clock.now(state.settings.time_zone)
    name = named(who, actor)
    kept = keep_upload(
        state.settings,
        file.file,
        file.filename or "",
        owner=who.name,
        way=way,
        sheet=sheet,
        defaults={"unit": unit.strip(), "district": district.strip(), "effective_from": effective_from},
        at=at,
    )
    done = run_upload(
        state.engine, kept, actor=name, reason=reason, software=f"zhipai {VERSION}", at=at, dry_run=dry_run
    )
    _, rows = report_rows(done, most=MOST_ROWS)
    return done.summary | {"results": [row[-1] if row else "" for row in rows], "dry_run": dry_run}
