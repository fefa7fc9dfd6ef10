#!/usr/bin/env python3
"""Check a proof of the decision log on any machine: Python 3.8 or newer, nothing else, no network, no database.

    python check_bundle.py PROOF.json KEYS.pub

PROOF.json comes from ``zhipai audit bundle`` or ``zhipai audit consistency``, KEYS.pub from ``zhipai audit key show``
by another way. Exit code 0: it holds; 4: it does not; 2: not such a file; 3: this Python lacks the hash (SM3).

Formats: RFC 6962 / RFC 9162 (Merkle tree), c2sp.org/signed-note and tlog-checkpoint, RFC 8032 (Ed25519, checked here in
plain integers: it needs no secrets and no speed).
"""

import base64
import hashlib
import json
import sys

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


class Refused(Exception):
    """The sentence and the exit code."""


def point(data):
    """A point of the curve in extended coordinates from its 32 bytes; None if there is none."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(one, two):
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, one):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, one)
        one, number = add(one, one), number >> 1
    return total


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(key, signature, text):
    """RFC 8032, 5.1.7: whether the Ed25519 key signed the text."""
    public = point(key)
    factor = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or public is None or factor >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % ORDER
    x, y, z, _ = add(times(factor, BASE), times(ORDER - challenge, public))
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def read_keys(text):
    """Lines ``name+id+base64(0x01 || key)`` as {(name, id): key}."""
    keys = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        name, key_id, content = line.strip().split("+", 2)
        raw = base64.b64decode(content, validate=True)
        if len(raw) != 33 or raw[:1] != b"\x01":
            raise ValueError(line)
        if hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != key_id:
            raise ValueError(line)
        keys[name, key_id] = raw[1:]
    return keys


def read_checkpoint(note, keys):
    """(origin, size, root, key id) of a note that a known key signed."""
    text, _, lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    text = (text + "\n").encode()
    trusted = ""
    for line in lines.split("\n")[:-1]:
        dash, name, content = line.split(" ")
        raw = base64.b64decode(content, validate=True)
        key = keys.get((name, raw[:4].hex()))
        if dash != "—" or key is None:
            continue
        if not signed_by(key, raw[4:], text):
            raise Refused("不成立：检查点的签名与内容不符。", 4)
        trusted = trusted or raw[:4].hex()
    if not trusted:
        raise Refused("不成立：检查点不是给出的公钥签的。", 4)
    if size != str(int(size)):
        raise ValueError(size)
    return origin, int(size), base64.b64decode(root, validate=True), trusted


def tree_hash(name):
    if name not in ("sha256", "sm3"):
        raise ValueError(name)
    try:
        hashlib.new(name)
    except ValueError as error:
        raise Refused(f"这台机器的 Python 没有摘要算法 {name}，请换一台核对。", 3) from error
    return lambda data: hashlib.new(name, data).digest()


def walk(digest, index, last, start, proof):
    """The roots that a proof leads to (RFC 9162, 2.1.3.2 and 2.1.4.2): of the smaller tree, of the larger; None if it
    is too long or too short."""
    old = new = start
    for part in proof:
        if last == 0:
            return None
        if index & 1 or index == last:
            old, new = digest(b"\x01" + part + old), digest(b"\x01" + part + new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = digest(b"\x01" + new + part)
        index, last = index >> 1, last >> 1
    return None if last else (old, new)


def check_record(document, digest, proof, keys):
    record = document["record"].encode()
    said = json.loads(record)
    sequence, decision_id = said["sequence"], said["decision_id"]
    origin, size, root, key_id = read_checkpoint(document["checkpoint"], keys)
    if (sequence, decision_id) != (document["sequence"], document["decision_id"]):
        raise Refused("不成立：封面上的序号或编号与记录里的不同。", 4)
    ends = walk(digest, sequence - 1, size - 1, digest(b"\x00" + record), proof) if 0 < sequence <= size else None
    if ends is None or ends[1] != root:
        raise Refused("不成立：记录不在检查点签过的日志里，或被改过。", 4)
    return f"成立：记录 {decision_id} 是日志“{origin}”的第 {sequence} 号，一字未改（密钥 {key_id} 签过 {size} 条）。"


def check_consistency(document, digest, proof, keys):
    ends = [document["from"], document["to"]]
    if not all(end["checkpoint"] for end in ends):
        raise Refused("不成立：里面没有签过名的检查点。", 4)
    (origin, first, old, _), (other, second, new, _) = (read_checkpoint(end["checkpoint"], keys) for end in ends)
    stated = [(end["size"], base64.b64decode(end["root"], validate=True)) for end in ends]
    if origin != other or stated != [(first, old), (second, new)]:
        raise Refused("不成立：两个检查点不是同一份日志的，或与封面不同。", 4)
    if first == second or first == 0:
        holds = not proof and first <= second and (old == new if first else old == digest(b""))
    elif first > second:
        holds = False
    else:
        power = first & (first - 1) == 0
        start, rest = (old, proof) if power else (proof[0] if proof else b"", proof[1:])
        index, last = first - 1, second - 1
        while index & 1:
            index, last = index >> 1, last >> 1
        holds = walk(digest, index, last, start, rest) == (old, new)
    if not holds:
        raise Refused("不成立：前一个检查点的日志不是后一个的开头。", 4)
    return f"成立：日志“{origin}”从 {first} 条到 {second} 条只增未改。"


def main(arguments):
    try:
        if len(arguments) != 2:
            raise Refused("用法：python check_bundle.py 证明文件 公钥文件", 2)
        with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123 - as short as may be
            document = json.load(file)
        with open(arguments[1], encoding="utf-8") as file:  # noqa: PTH123
            keys = read_keys(file.read())
        digest = tree_hash(document["hash"])
        proof = [base64.b64decode(one, validate=True) for one in document["proof"]]
        check = {"zhipai-record/1": check_record, "zhipai-consistency/1": check_consistency}[document["format"]]
        says, code = check(document, digest, proof, keys), 0
    except Refused as refused:
        says, code = refused.args
    except OSError:
        says, code = "文件打不开。", 2
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        says, code = "证明文件或公钥文件不完整，或不是 zhipai audit 写出的。", 2
    sys.stdout.write(says + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
