"""No input makes an error of the server: every route, parameter, header and body of our OpenAPI document, and every frame.

``CLAW_TEST_STRANGERS=1000`` tries so many requests per route, other ones each time.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.knowledge.ports import KnowledgePorts
from schemas.bodies.socket import FRAMES
from schemas.settings import AuthSettings, Settings, SocketSettings
from schemas.settings.section import Secret
from tests.support.api_people import promoted
from tests.support.api_process import House, Person, opened
from tests.support.asgi_calls import Answered, send
from tests.support.hostile_requests import Operation, Strangers, operations
from tests.support.hostile_values import Schemas, spoilt, to_json
from tests.support.sockets import Wire, connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = os.environ.get("CLAW_TEST_STRANGERS")
EXAMPLES = settings(
    max_examples=int(LONG or "6"), derandomize=not LONG, database=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate]
)  # nothing is shrunk: a request is read as it was sent
DOCUMENT = create_app(Settings(auth=AuthSettings(secret=Secret("test-" * 8)))).openapi_schema.to_schema()
OPERATIONS = list(operations(DOCUMENT))
OUTAGES = {"overloaded", "index_unavailable"}  # refusals on purpose: no worker runs here
FRAMES_OF_ONE = 40  # on one connection


@dataclass(frozen=True)
class Target:
    house: House
    ada: Person
    strangers: Strangers
    known: dict[str, list[str]]


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(api_settings: Settings, patched: pytest.MonkeyPatch) -> AsyncIterator[Target]:
    """A process with something in it, and all kinds of credentials."""
    patient = msgspec.structs.replace(
        api_settings,
        limits=msgspec.structs.replace(api_settings.limits, query_wait_s=0.05),
        socket=SocketSettings(frames_per_second=1_000),
    )
    async with opened(patient) as house:
        ada, root = await house.person(), await house.person()
        await promoted(house, root)
        known = await _known(ada)
        key = (await ada.call("POST", "/api-keys", json={"name": "a"})).json()["key"]
        client = house.ports(KnowledgePorts).index_client
        patched.setattr(client, "ask", partial(client.ask, timeout_s=0.05))  # no worker answers here
        credentials = ("", f"Bearer {ada.token}", f"Bearer {key}", f"Bearer {root.token}", f"Bearer {root.token}")
        yield Target(house, ada, Strangers(DOCUMENT, credentials, known), known)


async def _known(ada: Person) -> dict[str, list[str]]:
    """What exists in the process, by the name of the parameter or property that means it."""
    conversation = await ada.conversation()
    asked = (await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})).json()
    await ada.conversation()
    await ada.call("PUT", f"/knowledge/{ada.base}/documents/d", json={"text": "x"})
    page = (await ada.call("GET", "/conversations?limit=1")).json()
    message = [asked["message"]["id"]]
    return {
        "conversation_id": [conversation],
        "knowledge_base_id": [ada.base],
        "knowledge_base_ids": [ada.base],
        "document_id": ["d", "nothing"],
        "reply_id": [asked["reply_id"]],
        "message_id": message,
        "branch": message,
        "parent_id": message,
        "model": ["claw"],
        "rule": ["global"],
        "value": ["10.0.0.0/8"],
        "cursor": [page["next_cursor"], f"0.{'9' * 30}", "WzAsMF0"],
        "letter_id": ["0-0", "0-999999999999999999999"],
    }


def check(operation: Operation, answered: Answered) -> None:
    """Only an outage is a 5xx."""
    if answered.status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert operation.path == "/readyz" or json.loads(answered.body)["code"] in OUTAGES, answered
    else:
        assert HTTPStatus.OK <= answered.status < HTTPStatus.INTERNAL_SERVER_ERROR, answered


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@given(data=st.data())
@EXAMPLES
async def test_no_request_is_an_error_of_the_server(target: Target, operation: Operation, data: st.DataObject):
    check(operation, await send(target.house.app, data.draw(Strangers.calls(target.strangers, operation))))


def frame_schemas() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found, components = msgspec.json.schema_components(list(FRAMES.values()), ref_template="#/components/schemas/{name}")
    return list(found), components


@given(data=st.data())
@settings(EXAMPLES, max_examples=int(LONG or "6"))
async def test_no_frame_is_an_error_of_the_server(target: Target, data: st.DataObject):
    """Each is answered, and the connection goes on; only a credential that is refused may end it."""
    found, components = frame_schemas()
    valid = st.one_of([Schemas(components, target.known).valid(each) for each in found])
    texts = data.draw(st.lists(spoilt(valid).map(to_json), min_size=FRAMES_OF_ONE, max_size=FRAMES_OF_ONE))
    async with connected(target.house, target.ada) as wire:
        for text in texts:
            await wire.socket.send_str(text)
        await wire.send("ping", "the last")
        async for frame in _frames(wire):
            assert frame.get("problem", {}).get("code") != "internal_error", texts
            if frame["id"] == "the last":
                break
        else:
            assert wire.socket.close_code != aiohttp.WSCloseCode.INTERNAL_ERROR, texts


async def _frames(wire: Wire) -> AsyncIterator[dict[str, Any]]:
    """Until the server closes."""
    async for message in wire.socket:
        yield json.loads(message.data)
