"""Schemathesis over the whole OpenAPI document: whatever is sent, no answer is a 500, and every refusal has one shape."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings

from service.access import ROLES, Actor, Scope
from service.api import auth
from tests.service.access.conftest import Town

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def http(town: Town) -> Iterator[TestClient]:
    """A caller who may do everything, so that what is sent reaches the routes themselves."""
    everything = Actor("key:fuzz", "试探", frozenset(ROLES), Scope.everything(), "key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_identify", lambda request: everything)
        yield TestClient(town.client.app, raise_server_exceptions=False)


def operations(client: TestClient) -> list:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    return [one.ok() for one in schema.get_all_operations()]


def uploaded(value: object) -> object:
    """A part of a form as bytes: the document says file, schemathesis also tries numbers, which no client can send."""
    if isinstance(value, tuple):
        return (value[0], uploaded(value[1]), *value[2:])
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def fuzz(http: TestClient, examples: int) -> int:
    sent = 0
    wrong: dict[str, str] = {}
    tried = operations(http)
    assert len(tried) > 25
    for operation in tried:

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def try_it(case) -> None:
            nonlocal sent
            wanted = case.as_transport_kwargs(base_url="http://testserver")
            wanted.pop("cookies", None)
            wanted["headers"] = {
                name: value.encode("utf-8", "replace") for name, value in (wanted.get("headers") or {}).items()
            }
            wanted["content" if isinstance(wanted.get("data"), bytes | str) else "data"] = wanted.pop("data", None)
            if files := wanted.get("files"):
                pairs = files.items() if isinstance(files, dict) else files
                wanted["files"] = [(name, uploaded(value)) for name, value in pairs]
            answer = http.request(**{name: value for name, value in wanted.items() if value is not None})
            sent += 1
            refused = answer.status_code >= 400
            shaped = answer.headers.get("content-type") == "application/problem+json"
            if answer.status_code in (500, 502) or (refused and not shaped):
                wrong[f"{case.method} {case.path}"] = f"{case.path_parameters} {case.query} {case.body!r}"[:500]

        try_it()
    assert not wrong
    return sent


def test_no_500(http: TestClient) -> None:
    assert fuzz(http, 5) >= 100


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_500_long(http: TestClient) -> None:
    assert fuzz(http, 300) > 5000
