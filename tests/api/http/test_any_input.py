"""No input makes an error of the server: every route, parameter, header and body of our OpenAPI document, and every frame.

``CLAW_TEST_STRANGERS=1000`` tries so many requests per route, other ones each time.
"""

import json
import os
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, get_args
from urllib.parse import unquote

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from litestar._openapi.plugin import OpenAPIPlugin

from api.app import create_app
from api.http.openapi import build_openapi
from api.knowledge.ports import KnowledgePorts
from ops.commands import topics as administration
from schemas.bodies.socket import FRAMES
from schemas.records import ROLES, AccountRole, Scope
from schemas.settings import AuthSettings, Settings, SocketSettings
from schemas.settings.section import Secret
from tests.support.api_contract import Contract
from tests.support.api_people import promoted
from tests.support.api_process import PASSWORD, WANTED, House, Person, opened
from tests.support.asgi_calls import Answered, Call, send
from tests.support.hostile_requests import Operation, Strangers, operations
from tests.support.hostile_values import Schemas, spoilt, to_json
from tests.support.sockets import Wire, connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = os.environ.get("CLAW_TEST_STRANGERS")
EXAMPLES = settings(
    max_examples=int(LONG or "6"), derandomize=not LONG, database=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate]
)  # nothing is shrunk: a request is read as it was sent
CONFIG = "retrieval.meaning_weight"  # one that changes nothing here
FIRST = 2  # the place of the first valid credential
OUTAGES = {"overloaded", "index_unavailable"}  # refusals on purpose: no worker runs here
FRAMES_OF_ONE = 40  # on one connection
ENDING = re.compile("(POST|DELETE|PATCH) /api/v1/(auth/(logout|sessions|password)|users/{|organisation/members|api-keys/{)")  # credentials


def _read_document() -> dict[str, Any]:
    """As it is served."""
    app = create_app(Settings(auth=AuthSettings(secret=Secret("test-" * 8))))
    build_openapi(app)
    return app.plugins.get(OpenAPIPlugin).provide_openapi_schema()


DOCUMENT = _read_document()
OPERATIONS = list(operations(DOCUMENT))
CONTRACT = Contract(DOCUMENT)


@dataclass(frozen=True)
class InputTarget:
    """A process with something in it, and requests with all kinds of credentials: nobody's, and of each role a token and a key."""

    house: House
    people: dict[AccountRole, Person]
    credentials: list[str]
    known: dict[str, list[str]]
    strangers: Strangers

    async def renew(self) -> None:
        """Every credential is valid again: those of somebody whose session a request ended, or whose account it disabled, give way to
        another person's.
        """
        for number, role in enumerate(ROLES):
            place = FIRST + 2 * number
            bearers = self.credentials[place : place + 2]
            if not bearers or HTTPStatus.UNAUTHORIZED in [await self._status(bearer) for bearer in bearers]:
                self.people[role] = person = await self.house.person()
                if role != "user":
                    await promoted(self.house, person, role)
                key = await person.call("POST", "/api-keys", json={"name": "a", "scopes": get_args(Scope)})
                self.credentials[place : place + 2] = [f"Bearer {person.token}", f"Bearer {key.json()['key']}"]

    async def _status(self, credential: str) -> int:
        return (await self.house.client.get("/api/v1/users/me", headers={"authorization": credential})).status_code


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(api_settings: Settings, patched: pytest.MonkeyPatch) -> AsyncIterator[InputTarget]:
    """An installation of its own: an operator's requests change what every process has."""
    name = f"t{uuid.uuid4().hex[:10]}"
    patient = msgspec.structs.replace(
        api_settings,
        kafka=msgspec.structs.replace(api_settings.kafka, topic_prefix=f"{name}."),
        redis=msgspec.structs.replace(api_settings.redis, key_prefix=name),
        limits=msgspec.structs.replace(api_settings.limits, query_wait_s=0.05),
        socket=SocketSettings(frames_per_second=1_000),
    )
    await administration.apply(patient.kafka, WANTED)
    async with opened(patient) as house:
        client = house.ports(KnowledgePorts).index_client
        patched.setattr(client, "ask", partial(client.ask, timeout_s=0.05))  # no worker answers here
        credentials = ["", "Bearer nobody"]
        known: dict[str, list[str]] = {}
        made = InputTarget(house, {}, credentials, known, Strangers(DOCUMENT, credentials, known))
        await made.renew()
        known |= await _known(made)
        yield made
    await administration.delete(patient.kafka, WANTED)


async def _known(target: InputTarget) -> dict[str, list[str]]:
    """What exists in the process, by the name of the parameter or property that means it; accounts and sessions are another person's."""
    ada, other = target.people["operator"], await target.house.person()
    conversation = await ada.conversation()
    asked = (await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})).json()
    await ada.conversation()
    task = (await ada.call("PUT", f"/knowledge/{ada.base}/documents/d", json={"text": "x"})).json()["task_id"]
    webhook = (await ada.call("POST", "/webhooks", json={"url": "https://hooks.example.com/"})).json()["id"]
    delivery = (await ada.call("POST", f"/webhooks/{webhook}/test")).json()["id"]
    key = (await other.call("POST", "/api-keys", json={"name": "a"})).json()["id"]
    invitation = (await ada.call("POST", "/organisation/invitations", json={})).json()
    await ada.call("PUT", f"/configs/{CONFIG}", json={"value": 1.5})
    session = (await other.call("GET", "/auth/session")).json()["session"]["id"]
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
        "task_id": [task, asked["reply_id"]],
        "webhook_id": [webhook],
        "delivery_id": [delivery],
        "delivery_ids": [delivery],
        "key_id": [key],
        "session_id": [session],
        "user_id": [other.user["id"]],
        "invitation": [invitation["id"], invitation["invitation"]],
        "config_key": [CONFIG, "model.api_key", "rate_limits.rules"],
        "email": [other.email],
        "password": [PASSWORD],
        "url": ["https://hooks.example.com/"],
        "model": ["claw"],
        "rule": ["global"],
        "value": ["10.0.0.0/8"],
        "cursor": [page["next_cursor"], f"0.{'9' * 30}", "WzAsMF0"],
        "letter_id": ["0-0", "0-999999999999999999999"],
    }


def check(operation: Operation, call: Call, answered: Answered) -> None:
    """Only an outage is a 5xx, and the answer is as the document says; a path that is another one has another operation, or none."""
    if answered.status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert operation.path == "/readyz" or json.loads(answered.body)["code"] in OUTAGES, answered
    else:
        assert HTTPStatus.OK <= answered.status < HTTPStatus.INTERNAL_SERVER_ERROR, answered
    if operation.is_path(unquote(call.target.partition("?")[0])):
        assert CONTRACT.find_broken(operation, answered) == [], answered


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@given(data=st.data())
@EXAMPLES
async def test_no_request_is_an_error_of_the_server(target: InputTarget, operation: Operation, data: st.DataObject):
    call = data.draw(Strangers.calls(target.strangers, operation))
    check(operation, call, await send(target.house.app, call))
    if ENDING.match(str(operation)):
        await target.renew()


def frame_schemas() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found, components = msgspec.json.schema_components(list(FRAMES.values()), ref_template="#/components/schemas/{name}")
    return list(found), components


@given(data=st.data())
@settings(EXAMPLES, max_examples=int(LONG or "6"))
async def test_no_frame_is_an_error_of_the_server(target: InputTarget, data: st.DataObject):
    """Each is answered, and the connection goes on; only a credential that is refused may end it."""
    found, components = frame_schemas()
    valid = st.one_of([Schemas(components, target.known).valid(each) for each in found])
    texts = data.draw(st.lists(spoilt(valid).map(to_json), min_size=FRAMES_OF_ONE, max_size=FRAMES_OF_ONE))
    async with connected(target.house, target.people["user"]) as wire:
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
