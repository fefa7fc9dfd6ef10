"""A log of three records, as the documentation page shows its checkpoint and proofs. They hold: a test checks them."""

from __future__ import annotations

PUBLIC_KEY = "12345.example/log+62b0e133+AbLW7uwhb5ZCifJd61PWWyu9QTebPehWHZaAul4LIpNF"
CHECKPOINT = (
    "12345.example/log\n3\nfVg9R9Bg2BM1XmXGrF3FL6/MB/4jmyGGVwtCmPiAhCk=\n\n"
    "— 12345.example/log "
    "YrDhM8Uxx1G9C+QFM/pzdvBUemH4+OpHn25kuo4vyR9l03TBiFQRyyaYBx9UA4hzPPrm9vNzuKv0Y2wLH+8QdSLoywY=\n"
)
CHECKPOINT_BEFORE = (
    "12345.example/log\n2\nVmWtc5V+2iDnxoHoLBU9IuT4i5TT6Ff7r2LmqFXVfnI=\n\n"
    "— 12345.example/log "
    "YrDhMzojMEY3pEu3B4uI69e6M83xROiMmyXa1Nlu9PbWEvS5nRGU5pzjOb9jjl3guZzQ+rpjPg0bz0vpmVF7LVw6tQ0=\n"
)
BUNDLE = {
    "format": "zhipai-record/1",
    "hash": "sha256",
    "decision_id": "d-58b1ca84b7bf4b348095f95370844dfd",
    "sequence": 2,
    "record": (
        '{"actor":"shuju-1","decided_at":"2026-05-06T09:30:00+08:00",'
        '"decision_id":"d-58b1ca84b7bf4b348095f95370844dfd","kind":"promotion","model":"v1","sequence":2}'
    ),
    "proof": ["HZVVo2XF/rP8fudAd3SjtDH4lDRI7Q5VB6AMWDVQZNo=", "nhAv+yKQw+OuY8G+EjAKYfHkrDsoUWWKbSJEMmsIXOA="],
    "checkpoint": CHECKPOINT,
    "key_id": "62b0e133",
}
CONSISTENCY = {
    "format": "zhipai-consistency/1",
    "hash": "sha256",
    "from": {"size": 2, "root": "VmWtc5V+2iDnxoHoLBU9IuT4i5TT6Ff7r2LmqFXVfnI=", "checkpoint": CHECKPOINT_BEFORE},
    "to": {"size": 3, "root": "fVg9R9Bg2BM1XmXGrF3FL6/MB/4jmyGGVwtCmPiAhCk=", "checkpoint": CHECKPOINT},
    "proof": ["nhAv+yKQw+OuY8G+EjAKYfHkrDsoUWWKbSJEMmsIXOA="],
}
