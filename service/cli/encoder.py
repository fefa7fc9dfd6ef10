"""``zhipai encoder adapt``: train the encoder on questions and the entries that answer them."""

from __future__ import annotations

from pathlib import Path

import typer

from intake.errors import ZhipaiError, register
from models.adapter import save_adapter
from service.cli.common import existing
from service.cli.progress import steps
from service.settings import ROOT
from training.adapter import AdapterRecipe, train_adapter
from training.pairs import read_pairs

register("E7709", "文件已经有了", "“{name}”已经有了，没有覆盖。请换一个文件名，或先把它移走。", exit_code=4)

app = typer.Typer(no_args_is_help=True)
PAIRS = ROOT / "datasets" / "question_pairs" / "pairs.jsonl"


@app.callback()
def encoder() -> None:
    """编码器：用问答对训练适配。"""


@app.command(help="用“口语问法—正式条目”训练编码器的适配文件；两核约半小时。放到 datasets/encoder_adapter 后重新安装。")
def adapt(
    out: Path = typer.Option(..., "--out", help="写到哪个文件（.npz）；已有的不覆盖"),
    pairs: Path = typer.Option(PAIRS, "--pairs", help="问答对（JSONL）；不填用随附的"),
    steps_: int = typer.Option(0, "--steps", min=0, help="步数；不填用默认的"),
) -> None:
    if out.exists():
        raise ZhipaiError("E7709", {"name": out.name})
    entries = read_pairs(existing(pairs))
    # Before the training and not after it: whoever cannot write there learns it now.
    out.parent.mkdir(parents=True, exist_ok=True)
    out.touch()
    out.unlink()
    recipe = AdapterRecipe(steps=steps_) if steps_ else AdapterRecipe()
    with steps() as progress:
        adapter = train_adapter(entries, recipe, progress=progress)
    save_adapter(adapter, out)
    typer.echo(f"{len(entries)} 条、{sum(len(one.questions) for one in entries)} 句问法，{recipe.steps} 步 → {out}")
