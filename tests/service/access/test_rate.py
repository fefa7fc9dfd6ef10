"""Token buckets on a clock that the test holds, and 429 over HTTP."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from intake.errors import ZhipaiError
from service.access import rate
from service.access.rate import Buckets
from tests.service.access.conftest import PASSWORD, Town


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(buckets: Buckets, subject: str, times: int) -> int:
    allowed = 0
    for _ in range(times):
        try:
            buckets.take(subject)
            allowed += 1
        except ZhipaiError as error:
            assert error.code == "E6524"
    return allowed


def test_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    buckets = Buckets(60, now=clock)
    assert taken(buckets, "a", 100) == 60
    assert taken(buckets, "b", 1) == 1, "各有各的"
    clock.now += 10
    assert taken(buckets, "a", 100) == 10
    clock.now += 3600
    assert taken(buckets, "a", 100) == 60, "不会越积越多"


def test_wait_is_told() -> None:
    clock = Clock()
    buckets = Buckets(2, now=clock)
    assert taken(buckets, "a", 2) == 2
    with pytest.raises(ZhipaiError) as caught:
        buckets.take("a")
    assert caught.value.params["seconds"] == 30
    clock.now += 30
    buckets.take("a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "MOST", 10)
    buckets = Buckets(1, now=Clock())
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._left) == 10


def test_over_http(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    http = TestClient(town.client.app, follow_redirects=False)
    few = {"sign_in": Buckets(3, now=Clock()), "requests": Buckets(5, now=Clock())}
    monkeypatch.setattr(town.client.app.state, "buckets", few)
    assert http.post("/login", data={"name": "dispatcher", "password": PASSWORD}).status_code == 303
    answers = [http.get("/v1/access/me") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1 and answers[-1].json()["code"] == "E6524"
    http.cookies.clear()
    wrong = [http.post("/login", data={"name": f"n{number}", "password": "x"}) for number in range(4)]
    assert [answer.status_code for answer in wrong] == [401, 401, 429, 429], "换着账号试也一样"
    keys = [http.get("/v1/access/me", headers={"Authorization": f"Bearer zk_{n}_x"}) for n in range(7)]
    assert [answer.status_code for answer in keys] == [401] * 5 + [429] * 2, "换着密钥试也一样"
    assert http.get("/healthz").status_code == 200
