"""The entry point ``zhipai``: sub-commands, and one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys

# Before numpy, faiss or onnxruntime load: one thread a process serves better than two (design: encoders, traps).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import typer
from typer import rich_utils
from typer.exceptions import Abort, Exit, TyperException

from intake.errors import ZhipaiError, register
from service.cli import (
    audit,
    backtest,
    calendar,
    cold_start,
    data,
    database,
    deadline,
    demo,
    encoder,
    feedback,
    model,
    orders,
    outbox,
    privacy,
    rules,
    rulings,
    serve,
    shadow,
    similar,
    triage,
    users,
)
from service.logging import configure
from service.version import VERSION

register("E7101", "命令写法不对", "命令写法不对：{problem}。可加 --help 查看用法。")
register("E7102", "文件读写失败", "文件“{name}”不能读写：{problem}。", exit_code=3)
register("E7103", "程序出错", "程序出错（{kind}）。没有留下写了一半的内容；请把命令和这一行报给维护者。", exit_code=3)

rich_utils.ARGUMENTS_PANEL_TITLE = "参数"
rich_utils.OPTIONS_PANEL_TITLE = "选项"
rich_utils.COMMANDS_PANEL_TITLE = "命令"
rich_utils.DEFAULT_STRING = "[默认：{}]"
rich_utils.REQUIRED_LONG_STRING = "[必填]"

app = typer.Typer(
    help="智派：12345 / 接诉即办的派单建议、规则核对与决定留痕。",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
triage.add_to(app)
serve.add_to(app)
demo.add_to(app)
model.add_to(app)
backtest.add_to(rules.app)
shadow.add_to(rules.app)
rulings.add_to(rules.app)
app.add_typer(rules.app, name="rules", help="规则包：检查、测试、查看。")
app.add_typer(data.knowledge, name="kb", help="知识库：起草、审核、发布、导入导出、到期与检查。")
app.add_typer(data.intake, name="intake", help="数据进门：检查派单提示的清理效果。")
app.add_typer(feedback.labels, name="labels", help="标签：从决定和退单里学，与 Label Studio、Argilla 交换标注。")
app.add_typer(users.app, name="users", help="账号：第一个管理员、重设密码。")
app.add_typer(users.keys, name="keys", help="接口密钥：发放、查看、撤销。")
app.add_typer(outbox.app, name="outbox", help="对外通知：查看、重送、放弃。")
similar.add_to(app)
cold_start.add_to(app)
deadline.add_to(app)
app.add_typer(audit.app, name="audit", help="决定日志：验证、检查点、证明。")
app.add_typer(privacy.app, name="privacy", help="个人信息：查看、删除、保存期限。")
app.add_typer(orders.app, name="orders", help="工单：整份登记，进入派单队列。")
app.add_typer(database.app, name="db", help="数据库：PostgreSQL 的角色授权。")
app.add_typer(encoder.app, name="encoder", help="编码器：用问答对训练适配。")
app.add_typer(calendar.app, name="calendar", help="工作日历：查看、导入一年的放假安排。")


@app.command("version", help="显示版本。")
def version() -> None:
    typer.echo(f"智派 {VERSION}")


def _usage(error: TyperException) -> ZhipaiError:
    """What the parser found, in Chinese."""
    kind = type(error).__name__
    if kind == "NoSuchOption":
        return ZhipaiError("E7101", {"problem": f"没有选项 {getattr(error, 'option_name', '')}"})
    if kind == "MissingParameter":
        param = getattr(error, "param", None)
        return ZhipaiError("E7101", {"problem": f"缺少 {getattr(param, 'human_readable_name', '必填的参数')}"})
    if kind == "BadParameter":
        param = getattr(error, "param", None)
        return ZhipaiError("E7101", {"problem": f"{getattr(param, 'human_readable_name', '参数')} 的值不对"})
    if kind == "UsageError" and "No such command" in str(error):
        return ZhipaiError("E7101", {"problem": "没有这个命令"})
    return ZhipaiError("E7101", {"problem": "参数的个数或顺序不对"})


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    configure()
    try:
        code = app(arguments, standalone_mode=False) or 0
    except Exit as error:
        code = error.exit_code
    except (Abort, KeyboardInterrupt):
        typer.echo("已中断，没有留下写了一半的内容。", err=True)
        code = 130
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            code = 0
        else:
            code = _say(_usage(error))
    except ZhipaiError as error:
        code = _say(error)
    except BrokenPipeError:
        # The reader (head, less) has gone; that is not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        name = os.path.basename(str(error.filename or ""))  # noqa: PTH119 - the name may be bytes or missing
        problem = {13: "没有权限", 2: "文件不存在", 28: "磁盘空间不足", 21: "这是一个文件夹"}.get(
            error.errno or 0, "系统拒绝"
        )
        code = _say(ZhipaiError("E7102", {"name": name, "problem": problem}))
    except Exception as error:
        if os.environ.get("ZHIPAI_DEBUG"):
            raise
        code = _say(ZhipaiError("E7103", {"kind": type(error).__name__}))
    sys.exit(code if isinstance(code, int) else 0)


def _say(error: ZhipaiError) -> int:
    typer.echo(f"出错：{error}", err=True)
    return error.exit_code
