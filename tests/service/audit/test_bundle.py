"""Proofs for somebody without the database: the command and the script that needs only Python say the same of each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from intake.errors import ZhipaiError
from service.api.audit_examples import BUNDLE, CONSISTENCY, PUBLIC_KEY
from service.audit.bundle import check_proof, make_bundle, make_consistency, prove_consistency
from service.audit.checkpoint import newest
from service.audit.keys import KeyStore
from service.audit.merkle import HASHES
from service.audit.note import PublicKey, parse_checkpoint
from service.audit.rotate import rotate_key
from service.db.engine import reading
from tests.service.audit.conftest import AT, Log
from tests.service.audit.tampering import recompute_tree, rewrite


def ids(log: Log) -> list[str]:
    with reading(log.engine) as connection:
        return list(connection.execute(text("SELECT decision_id FROM decisions ORDER BY sequence")).scalars())


@pytest.fixture
def both(root: Path, tmp_path: Path) -> Callable[..., int]:
    """Checks a proof with the library and with the script, alone in a folder; returns the exit code they agree on."""
    script = tmp_path / "elsewhere" / "check_bundle.py"
    script.parent.mkdir()
    shutil.copy(root / "tools" / "check_bundle.py", script)

    def check(content: bytes, keys: list[PublicKey]) -> int:
        (script.parent / "proof.json").write_bytes(content)
        (script.parent / "keys.pub").write_text("".join(f"{key.line}\n" for key in keys), encoding="utf-8")
        try:
            check_proof(content, keys, name="proof.json")
            code = 0
        except ZhipaiError as error:
            code = error.exit_code
        # -I -S: no site packages and no environment, so nothing of this project can be imported.
        command = [sys.executable, "-I", "-S", str(script), "proof.json", "keys.pub"]
        done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, encoding="utf-8")
        assert done.stderr == ""
        assert done.stdout.startswith("成立") == (done.returncode == 0)
        assert done.returncode == code, done.stdout
        return code

    return check


@pytest.mark.parametrize("name", HASHES)
def test_the_proof_of_every_record_holds_elsewhere(make_log: Callable[..., Log], both, name: str) -> None:
    log = make_log(log_hash=name)
    made = log.append(7)
    log.checkpoint()
    keys = KeyStore(log.settings.key_folder).public_keys()
    for decision_id in made:
        content = make_bundle(log.engine, log.settings, decision_id, at=AT)
        assert json.loads(json.loads(content)["record"])["decision_id"] == decision_id
        assert both(content, keys) == 0


def test_a_record_after_the_last_checkpoint_gets_a_new_one(log: Log, both) -> None:
    content = make_bundle(log.engine, log.settings, ids(log)[10], at=AT)
    with reading(log.engine) as connection:
        last = newest(connection)
    assert last is not None and last.checkpoint.size == 11
    assert json.loads(content)["checkpoint"] == last.checkpoint.note
    assert both(content, KeyStore(log.settings.key_folder).public_keys()) == 0


def test_a_record_that_is_not_there_is_refused(log: Log) -> None:
    with pytest.raises(ZhipaiError) as caught:
        make_bundle(log.engine, log.settings, "d-none", at=AT)
    assert caught.value.code == "E7816"


TAMPERED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "record": lambda one: one | {"record": one["record"].replace("shuju-1", "shuju-2")},
    "sequence": lambda one: one | {"sequence": one["sequence"] + 1},
    "decision_id": lambda one: one | {"decision_id": "d-x"},
    "proof shorter": lambda one: one | {"proof": one["proof"][:-1]},
    "proof longer": lambda one: one | {"proof": [*one["proof"], one["proof"][0]]},
    "proof changed": lambda one: one | {"proof": [one["proof"][-1], *one["proof"][1:]]},
    "size": lambda one: one | {"checkpoint": one["checkpoint"].replace("\n9\n", "\n8\n")},
    "hash": lambda one: one | {"hash": "sm3"},
    "another record": lambda one: one | {"record": '{"sequence":"4","decision_id":"d"}'},
}
BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "format": lambda one: one | {"format": "zhipai-record/9"},
    "unknown hash": lambda one: one | {"hash": "md5"},
    "no proof": lambda one: {name: value for name, value in one.items() if name != "proof"},
    "a list": lambda one: [one],
    "record is no JSON": lambda one: one | {"record": "x"},
    "proof is no base64": lambda one: one | {"proof": ["?"]},
    "no checkpoint": lambda one: one | {"checkpoint": "x"},
}


@pytest.mark.parametrize(("change", "code"), [(one, 4) for one in TAMPERED] + [(one, 2) for one in BROKEN])
def test_a_bundle_that_was_changed_does_not_hold(log: Log, both, change: str, code: int) -> None:
    content = json.loads(make_bundle(log.engine, log.settings, ids(log)[3], at=AT))
    content = (TAMPERED | BROKEN)[change](content)
    assert (
        both(json.dumps(content, ensure_ascii=False).encode(), KeyStore(log.settings.key_folder).public_keys()) == code
    )


def test_a_proof_signed_by_another_key_does_not_hold(log: Log, both) -> None:
    content = make_bundle(log.engine, log.settings, ids(log)[3], at=AT)
    own = KeyStore(log.settings.key_folder).public_keys()[0]
    other = PublicKey(own.name, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert both(content, [other]) == 4
    assert both(content, [other, own]) == 0


def test_a_signature_that_was_changed_does_not_hold(log: Log, both) -> None:
    document = json.loads(make_bundle(log.engine, log.settings, ids(log)[3], at=AT))
    checkpoint = parse_checkpoint(document["checkpoint"], name="x")
    name, key_id, signature = checkpoint.signatures[0]
    for at in (0, 31, 32, 63):
        spoilt = bytearray(signature)
        spoilt[at] ^= 1
        note = type(checkpoint)(checkpoint.origin, checkpoint.size, checkpoint.root, ((name, key_id, bytes(spoilt)),))
        content = json.dumps(document | {"checkpoint": note.note}).encode()
        assert both(content, KeyStore(log.settings.key_folder).public_keys()) == 4


def test_consistency_between_any_two_checkpoints_holds_elsewhere(make_log: Callable[..., Log], both) -> None:
    log = make_log()
    checkpoints = []
    for _ in range(9):
        log.append()
        checkpoints.append(log.checkpoint())
    keys = KeyStore(log.settings.key_folder).public_keys()
    for number, second in enumerate(checkpoints):
        for first in checkpoints[: number + 1]:
            assert both(prove_consistency(log.engine, first, second), keys) == 0
    content = json.loads(prove_consistency(log.engine, checkpoints[4], checkpoints[7]))
    swapped = content | {"from": content["to"], "to": content["from"]}
    shorter = content | {"proof": content["proof"][1:]}
    for changed in (swapped, shorter, content | {"from": content["from"] | {"size": 4}}):
        assert both(json.dumps(changed).encode(), keys) == 4
    with pytest.raises(ZhipaiError) as caught:
        prove_consistency(log.engine, checkpoints[7], checkpoints[4])
    assert caught.value.code == "E7820"


def test_sizes_without_a_signed_checkpoint_prove_nothing_elsewhere(log: Log, both) -> None:
    keys = KeyStore(log.settings.key_folder).public_keys()
    assert both(make_consistency(log.engine, 5, 9), keys) == 0
    assert both(make_consistency(log.engine, 5, 8), keys) == 4


def test_a_checkpoint_of_a_history_that_was_rewritten_is_not_proved(log: Log) -> None:
    first, second = (
        parse_checkpoint(path.read_text(encoding="utf-8"), name=path.name)
        for path in sorted(log.other_office.glob("*.checkpoint"))
    )
    with log.tampering() as file:
        rewrite(file, 7, actor="别人")
        recompute_tree(file)
    with pytest.raises(ZhipaiError) as caught:
        prove_consistency(log.engine, first, second)
    assert (caught.value.code, "9 条" in caught.value.message) == ("E7817", True)


def test_checkpoints_of_an_old_key_and_a_new_one_are_consistent(log: Log, both) -> None:
    first = log.checkpoint()
    rotate_key(log.engine, log.settings, actor="审计员甲", at=AT)
    second = log.checkpoint()
    keys = KeyStore(log.settings.key_folder).public_keys()
    assert both(prove_consistency(log.engine, first, second), keys) == 0
    assert both(prove_consistency(log.engine, first, second), keys[:1]) == 4


@pytest.mark.parametrize("document", [BUNDLE, CONSISTENCY])
def test_the_examples_of_the_documentation_hold(both, document: dict[str, Any]) -> None:
    assert both(json.dumps(document).encode(), [PublicKey.parse(PUBLIC_KEY)]) == 0
