"""The doctor says in words what a process that is not ready says of itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import msgspec
import pytest

from domain.health import Finding
from ops.commands.doctor import _check_readiness
from schemas.settings import NodeSettings
from streams.runtime.status_server import StatusServer

Check = Callable[[str, HTTPStatus, object], Awaitable[list[Finding]]]


@pytest.fixture
async def check() -> AsyncIterator[Check]:
    """What the doctor finds at a process that answers so."""
    servers: list[StatusServer] = []

    async def find(name: str, status: HTTPStatus, body: object) -> list[Finding]:
        servers.append(StatusServer({"/readyz": lambda: (status, "application/json", msgspec.json.encode(body))}))
        return await _check_readiness(name, f"0.0.0.0:{await servers[-1].start(NodeSettings())}")

    yield find
    for server in servers:
        await server.stop()


async def test_a_worker_that_is_not_ready_says_why(check: Check):
    unknown = "Kafka has not named the partitions of 2 topics, first claw.x.v1: run `claw topics apply`"
    (found,) = await check("chat", HTTPStatus.SERVICE_UNAVAILABLE, {"lane": "chat", "problems": [unknown]})
    assert unknown in found.detail
    assert found.remedy
    assert not found.warning


async def test_the_api_names_what_is_down_and_what_is_degraded(check: Check):
    parts = {
        "kafka": {"state": "down", "detail": "Kafka does not answer"},
        "models": {"state": "degraded", "detail": "glm-4 failed in a row"},
    }
    ready, degraded = await check(
        "api", HTTPStatus.SERVICE_UNAVAILABLE, {"status": "down", "down": ["kafka"], "degraded": ["models"], "parts": parts}
    )
    assert "kafka: Kafka does not answer" in ready.detail
    assert (degraded.detail, degraded.warning) == (": models: glm-4 failed in a row", True)
    (fine,) = await check("api", HTTPStatus.OK, {"status": "ready", "down": [], "parts": {}})
    assert (fine.detail, fine.remedy) == ("", "")


async def test_a_process_that_does_not_answer():
    (found,) = await _check_readiness("chat", "127.0.0.1:1")
    assert found.remedy
