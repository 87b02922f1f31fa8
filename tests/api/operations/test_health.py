"""Health, metrics, and the documents that describe the API."""

import asyncio
import uuid
from typing import Any

import msgspec
import pytest

from api.core import Core
from api.operations.ports import OperationsPorts
from schemas.bodies.socket import FRAMES
from schemas.bodies.streams import SOCKET_EVENTS
from schemas.settings import WORKER_GROUPS
from streams.runtime.worker_registry import save_worker_state
from tests.support.api_process import House, Person, opened, read_metrics, with_limits
from tests.support.problems import is_problem
from tests.support.worker_states import WORKER

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_ready_when_every_lane_works(api_settings):
    """No worker, a worker that stands still, a spare one without partitions: only the first two count against a lane."""
    async with opened(with_limits(api_settings)) as house:
        health = house.ports(OperationsPorts).health
        prefix = house.settings.redis.key_prefix

        async def seen() -> dict[str, Any]:
            health._recent.forget("")
            answer = await house.client.get("/readyz")
            assert answer.status_code == (503 if answer.json()["down"] else 200)
            return dict(answer.json())

        async with asyncio.timeout(10):
            while "kafka" in (state := await seen())["down"]:
                await asyncio.sleep(0.05)
        assert state["down"] == ["index", *(f"lane.{lane}" for lane in WORKER_GROUPS)]
        for lane in WORKER_GROUPS:
            await save_worker_state(house.ports(Core).redis, prefix, msgspec.structs.replace(WORKER, lane=lane))
        state = await seen()
        assert (state["status"], state["down"], state["degraded"]) == ("ready", [], [])
        assert state["parts"]["lane.chat"] == {"state": "up", "workers": 1, "lag": 7}
        spare = msgspec.structs.replace(WORKER, lane="chat", id="spare", assigned=0, ready=False, lag=0)
        await save_worker_state(house.ports(Core).redis, prefix, spare)
        assert (await seen())["status"] == "ready"
        failing = msgspec.structs.replace(WORKER, lane="chat", failing=("glm-4",))
        await save_worker_state(house.ports(Core).redis, prefix, failing)
        state = await seen()
        assert (state["status"], state["degraded"]) == ("degraded", ["models"]), "answered all the same: some other model may answer"
        assert "glm-4" in state["parts"]["models"]["detail"]
        half = msgspec.structs.replace(WORKER, lane="tables", assigned=2)
        await save_worker_state(house.ports(Core).redis, prefix, half)
        assert (await seen())["parts"]["lane.tables"]["detail"] == "2 partitions are assigned to no worker"
        still = msgspec.structs.replace(WORKER, lane="documents", ready=False, standstill_s=61.0)
        await save_worker_state(house.ports(Core).redis, prefix, still)
        state = await seen()
        assert state["down"] == ["lane.documents"]
        assert state["parts"]["lane.documents"]["detail"] == "no progress for 61 s"


async def test_a_worker_that_has_fallen_silent_is_down_within_three_seconds(api_settings):
    """Killed or stopped: it says no goodbye."""
    async with opened(with_limits(api_settings)) as house:
        for lane in WORKER_GROUPS:
            await save_worker_state(house.ports(Core).redis, house.settings.redis.key_prefix, msgspec.structs.replace(WORKER, lane=lane))
        await asyncio.sleep(3.0)
        parts = (await house.client.get("/readyz")).json()["parts"]
        assert {parts[f"lane.{lane}"]["state"] for lane in WORKER_GROUPS} == {"down"}
        assert parts["lane.chat"]["detail"].startswith("no worker has reported for")


async def test_metrics_have_routes_not_ids(house: House, ada: Person):
    conversation = await ada.conversation()
    await ada.call("GET", f"/conversations/{conversation}")
    await house.client.get(f"/api/v1/{uuid.uuid4()}")
    text = await read_metrics(house)
    assert 'claw_http_requests_total{method="GET",route="/api/v1/conversations/{conversation_id}",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert "claw_http_request_seconds_bucket" in text
    assert "claw_streams_open 0.0" in text
    assert conversation not in text


async def test_metrics_of_the_public_port_are_for_administrators(house: House, ada: Person):
    is_problem(await house.client.get("/metrics"), 401, "unauthenticated")
    is_problem(await house.client.get("/metrics", headers=ada.headers), 403, "forbidden")


async def test_no_answer_is_kept_or_guessed_by_a_browser(house: House, ada: Person):
    for path in ("/livez", "/api/v1/nothing", "/schema/openapi.json", "/api/v1/conversations"):
        headers = (await house.client.get(path, headers=ada.headers)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers.get_list("cache-control") == ["no-store"]


async def test_openapi(house: House):
    """3.1, every route with its problems, bodies that refuse unknown fields, examples, security."""
    document = (await house.client.get("/schema")).json()
    assert document == (await house.client.get("/schema/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert not [path for path in document["paths"] if path.startswith("/schema")]
    ask = document["paths"]["/api/v1/conversations/{conversation_id}/messages"]["post"]
    assert {"202", "200", "409", "422", "429", "503"} <= set(ask["responses"])
    assert "text/event-stream" in ask["responses"]["200"]["content"]
    assert "application/problem+json" in ask["responses"]["409"]["content"]
    register = document["components"]["schemas"]["Register"]
    assert register["properties"]["email"]["examples"] == ["ada@example.com"]
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/livez"]["get"]["security"] == [{}]


async def test_asyncapi(house: House):
    """Every public topic with its address, messages that resolve, nothing of credentials."""
    document = (await house.client.get("/schema/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    channel = document["channels"]["claw.chats.answered.v1"]
    assert channel["address"] == house.settings.kafka.topic_prefix + "claw.chats.answered.v1"
    assert set(channel["messages"]) == {
        "ReplyStarted",
        "ReplyExtended",
        "ReplyThought",
        "ReplyCompleted",
        "ReplyFailed",
        "ReplyCancelled",
    }
    assert document["channels"]["claw.inbox.tenant.v1"]["address"] == house.settings.kafka.topic_prefix + "claw.inbox.{tenant}.v1"
    assert document["servers"]["kafka"]["host"] == house.settings.kafka.servers.split(",")[0]
    assert "claw.credential" not in str(document)
    assert "secret_hash" not in str(document)
    for reference in _references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/")]
    frames = document["channels"]["/api/v1/ws"]["messages"]
    assert set(frames) == {f"socket.{kind}" for kind in (*FRAMES, *SOCKET_EVENTS)}
    asking = document["components"]["schemas"]["Ask"]
    assert set(asking["required"]) == {"id", "type", "conversation_id", "body"}


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        return [str(value) for key, value in node.items() if key == "$ref"] + [r for value in node.values() for r in _references(value)]
    return [r for value in node for r in _references(value)] if isinstance(node, list) else []


async def test_streams_are_bounded(api_settings):
    """One more than the limit is 503, before anything is asked."""
    settings = with_limits(api_settings, enabled=False, streams_max=1)
    async with opened(settings) as house:
        ada = await house.person()
        first, second = await ada.conversation(), await ada.conversation()
        accept = {"accept": "text/event-stream"}
        path = "/api/v1/conversations/{}/messages"
        async with house.client.stream("POST", path.format(first), json={"content": "x"}, headers=ada.headers | accept) as answer:
            assert answer.status_code == 200
            refused = await ada.call("POST", f"/conversations/{second}/messages", json={"content": "x"}, headers=accept)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert refused.headers["retry-after"]
            assert (await ada.call("GET", f"/conversations/{second}/messages")).json()["items"] == []
