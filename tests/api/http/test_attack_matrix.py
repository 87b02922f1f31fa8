"""Every route against every attack: the exact refusal. The routes are those of the OpenAPI document; one without a row fails."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import jwt
import msgspec
import pytest
import pytest_asyncio

from adapters.secrets.tokens import ACCESS, ALGORITHM
from api.app import create_app
from api.core import Core
from api.http.openapi import describe_access
from domain.accounts.topics import ACCOUNTS_CHANGED
from domain.notices.notices import new_notice, notice_event
from domain.schedules.defaults import schedule_event
from schemas.jobs import RebuildAction
from schemas.records import AccountChanged, AccountRole
from schemas.schedules import CronSpec, Schedule
from schemas.settings import AuthSettings, Settings
from schemas.settings.section import Secret
from streams.log.outgoing import Outgoing
from tests.support.api_people import colleague, promoted, tenant_of
from tests.support.api_process import PASSWORD, House, Person, events
from tests.support.attacks import CREDENTIAL_ATTACKS, CredentialAttack, NoTarget, Target, base_rows
from tests.support.hostile_requests import Operation, operations

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "test-" * 8  # of the settings of these tests
FRESH_S = 1.2  # a revocation is in force everywhere within a second
SCOPES = ("chat", "knowledge:read", "knowledge:write", "webhooks", "ops")
PROBLEM = "application/problem+json"
PARAMETER = re.compile(r"\{(\w+)\}")
NOBODYS = {
    "model",
    "provider",
    "erasure_id",
}  # parameters that name what is the same for everybody, or is only known to whom it may concern
STATE = (  # what shows whether anything of the victim's was changed
    "/conversations/{conversation_id}",
    "/conversations/{conversation_id}/messages",
    "/knowledge/{knowledge_base_id}",
    "/knowledge/{knowledge_base_id}/documents/{document_id}",
    "/webhooks/{webhook_id}",
    "/webhooks/{webhook_id}/deliveries",
    "/notices",
    "/api-keys",
    "/auth/sessions",
    "/users/me",
    "/conversations",
    "/knowledge",
)


def _read_operations() -> list[Operation]:
    app = create_app(Settings(auth=AuthSettings(secret=Secret(SECRET))))
    document = app.openapi_schema.to_schema()
    describe_access(app, document)
    return list(operations(document))


OPERATIONS = _read_operations()
ROWS = base_rows()
ATTACKED = [(operation, attack) for operation in OPERATIONS for attack in CREDENTIAL_ATTACKS if attack.applies(operation.spec["x-access"])]
TARGETED = [operation for operation in OPERATIONS if isinstance(ROWS.get(str(operation)), Target)]


@dataclass(frozen=True)
class Scene:
    """The victim, what is theirs by the name of a path parameter, and the values of Authorization of each attack."""

    house: House
    victim: Person
    objects: dict[str, str]
    credentials: dict[str, str]
    keys: dict[str, str]  # of an operator, by the one scope that each lacks
    stranger: Person
    colleague: Person

    async def send(self, operation: Operation, headers: dict[str, str], row: Target | None = None) -> httpx.Response:
        """One request to the operation, with the victim's names in it."""
        target = self.fill(operation.path, operation.path)
        row = row or Target()
        body = {} if row.body is None else {"json": msgspec.json.decode(self.fill(msgspec.json.encode(row.body).decode(), operation.path))}
        return await self.house.client.request(operation.method, target, headers={**row.headers, **headers}, files=row.files, **body)

    def fill(self, text: str, path: str) -> str:
        """The victim's names in place of the parameters'."""
        objects = self.objects | ({"reply_id": self.objects["query_id"]} if "/queries/" in path else {})
        for name, value in objects.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def state(self) -> list[Any]:
        """What the victim has."""
        return [(await self.victim.call("GET", self.fill(path, path))).json() for path in STATE]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(house: House, dead_letters: None) -> AsyncIterator[Scene]:
    victim, stranger, operator, demoted, disabled = [await house.person() for _ in range(5)]
    await promoted(house, stranger)
    await promoted(house, operator)
    key = (await victim.call("POST", "/api-keys", json={"name": "k", "scopes": SCOPES})).json()
    access = {"origins": ["https://www.example.org"], "knowledge_base_ids": [victim.base]}
    widget = (await victim.call("POST", "/api-keys", json={"name": "w", "widget": access})).json()
    login = {"email": victim.email, "password": PASSWORD}
    session, ended = [(await house.client.post("/api/v1/auth/login", json=login)).json() for _ in range(2)]
    await victim.call("DELETE", f"/auth/sessions/{ended['session_id']}")
    objects = {**await _make_objects(victim), "key_id": key["id"], "session_id": session["session_id"]}
    fellow, admin = await colleague(house, victim), await colleague(house, victim, role="admin")
    invitation = (await admin.call("POST", "/organisation/invitations", json={})).json()["id"]
    objects |= {"user_id": victim.user["id"], "invitation": invitation}
    revoked = (await operator.call("POST", "/api-keys", json={"name": "r", "scopes": SCOPES})).json()
    keys = {}
    for scope in SCOPES:
        body = {"name": scope, "scopes": [each for each in SCOPES if each != scope]}
        keys[scope] = (await operator.call("POST", "/api-keys", json=body)).json()["key"]
    await promoted(house, demoted)
    for person, path in ((demoted, "/rate-limits/rules"), (disabled, "/users/me")):
        assert (await person.call("GET", path)).status_code == 200  # so that this process remembers them
    await _change(house, demoted, role="user")
    await _change(house, disabled, disabled=True)
    assert (await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer {revoked['key']}"})).status_code == 200
    await operator.call("DELETE", f"/api-keys/{revoked['id']}")
    await asyncio.sleep(FRESH_S)
    credentials = {
        **_forged(victim),
        "no credential": "",
        "another scheme": f"Basic {victim.token}",
        "a refresh token": f"Bearer {session['refresh_token']}",
        "a session that has ended": f"Bearer {ended['access_token']}",
        "a key that was revoked": f"Bearer {revoked['key']}",
        "a token of a disabled account": f"Bearer {disabled.token}",
        "a user": f"Bearer {victim.token}",
        "an admin of the tenant": f"Bearer {admin.token}",
        "an operator who was demoted": f"Bearer {demoted.token}",
        "a key": f"Bearer {key['key']}",
        "a widget's key": f"Bearer {widget['key']}",
        "a widget's key without an origin": f"Bearer {widget['key']}",
    }
    yield Scene(house, victim, objects, credentials, keys, stranger, fellow)


async def _make_objects(victim: Person) -> dict[str, str]:
    """A conversation with a question, a document, a question without a conversation, by the names of the parameters that mean them."""
    conversation = await victim.conversation()
    asked = (await victim.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})).json()
    webhook = (await victim.call("POST", "/webhooks", json={"url": "https://hooks.example.com/"})).json()
    delivery = (await victim.call("POST", f"/webhooks/{webhook['id']}/test")).json()
    written = await victim.call("PUT", f"/knowledge/{victim.base}/documents/d", json={"text": "x"})
    assert written.status_code == 202, written.text
    return {
        "conversation_id": conversation,
        "message_id": asked["message"]["id"],
        "reply_id": asked["reply_id"],
        "knowledge_base_id": victim.base,
        "document_id": "d",
        "version": str(written.json()["version"]),
        "page": "1",
        "task_id": written.json()["task_id"],
        "query_id": await _ask_without_conversation(victim),
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "schedule_id": await _schedule(victim),
        "notice_id": await _notice(victim),
        "letter_id": "0-0",
        "warmup_id": str(uuid.uuid4()),
        "key": "retrieval/x",
        "config_key": "model.temperature",
        "model": "claw",
    }


async def _schedule(victim: Person) -> str:
    """The id of a schedule of the victim's tenant."""
    core, now = victim.house.ports(Core), victim.house.ports(Core).clock.now()
    schedule = Schedule(
        id=str(uuid.uuid4()),
        tenant=tenant_of(victim),
        name="nightly",
        spec=CronSpec(line="0 3 * * *"),
        action=RebuildAction(knowledge_base_id=victim.base),
        created_at=now,
        updated_at=now,
        anchor_at=now,
    )
    await core.records.change(schedule_event(schedule, "test", now, ""))
    return schedule.id


async def _notice(victim: Person) -> str:
    """The id of a notice."""
    core, tables = victim.house.ports(Core), victim.house.ports(Core).read_models
    notice = await new_notice(tables, tenant_of(victim), victim.user["id"], "document.indexed", {"title": "t"}, core.clock.now(), "x")
    assert notice is not None
    await core.records.change(notice_event(notice, "test", "", core.clock.now()))
    return notice.id


async def _ask_without_conversation(victim: Person) -> str:
    """The id of the reply; nobody answers it here."""
    headers = {**victim.headers, "accept": "text/event-stream"}
    path = f"/api/v1/knowledge/{victim.base}/query"
    async with victim.house.client.stream("POST", path, json={"question": "Days?"}, headers=headers) as answer:
        async for sent in events(answer):
            return str(sent.data["reply_id"])
    raise AssertionError("the stream ended at once")


def _forged(victim: Person) -> dict[str, str]:
    """Tokens that name the victim and are none of ours."""
    now = datetime.now(UTC)
    claims = {"sub": victim.user["id"], "tenant": "t", "role": "operator", "tier": "free", "typ": ACCESS, "iat": int(now.timestamp())}
    claims |= {"exp": int((now + timedelta(hours=1)).timestamp())}
    past, key = int((now - timedelta(seconds=1)).timestamp()), "another secret, also thirty-two bytes long"
    brings = {"jwk": {"kty": "oct", "k": "YW5vdGhlciBzZWNyZXQ"}, "jku": "https://example.org/keys"}
    tokens = {
        "a token signed with another secret": jwt.encode(claims, key, ALGORITHM),
        "a token without a signature": jwt.encode(claims, "", "none"),
        "a token that brings its key": jwt.encode(claims, key, ALGORITHM, headers=brings),
        "an expired token": jwt.encode(claims | {"exp": past}, SECRET, ALGORITHM),
        "a token for another purpose": jwt.encode(claims | {"typ": "refresh"}, SECRET, ALGORITHM),
    }
    return {name: f"Bearer {token}" for name, token in tokens.items()}


async def _change(house: House, person: Person, *, role: AccountRole | None = None, disabled: bool = False) -> None:
    core = house.ports(Core)
    account = await core.read_models.accounts.get(person.user["id"], person.user["id"])
    assert account is not None
    changed = msgspec.structs.replace(account, role=role or account.role, disabled=disabled, revision=account.revision + 1)
    event = AccountChanged(
        id=str(uuid.uuid4()),
        source="/claw/test",
        subject=account.id,
        time=core.clock.now(),
        tenant=account.tenant,
        traceparent="",
        data=changed,
    )
    await core.records.change(Outgoing(ACCOUNTS_CHANGED, event))


def assert_refused(operation: Operation, answer: httpx.Response, status: int, code: str) -> None:
    """With this problem and nothing else; OpenAI's routes have their own format."""
    assert answer.status_code == status, f"{operation}: {answer.status_code} {answer.text[:300]}"
    if operation.path.startswith("/v1/"):
        assert answer.json()["error"]["code"] == ("invalid_api_key" if status == HTTPStatus.UNAUTHORIZED else code), answer.text
    else:
        assert (answer.headers["content-type"], answer.json()["code"]) == (PROBLEM, code), answer.text


async def test_every_operation_has_a_row():
    """A new route says here what it names of others, or that it names nothing."""
    assert {str(operation) for operation in OPERATIONS} == set(ROWS)
    named = {str(operation) for operation in OPERATIONS if set(PARAMETER.findall(operation.path)) - NOBODYS}
    assert {name for name in named if isinstance(ROWS[name], NoTarget)} == set()


@pytest.mark.parametrize(("operation", "attack"), ATTACKED, ids=str)
async def test_a_credential_that_is_not_enough_is_refused(scene: Scene, operation: Operation, attack: CredentialAttack):
    credential = scene.credentials.get(attack.name)
    if attack.name == "a key without the scope":
        credential = f"Bearer {scene.keys[operation.spec['x-access']['scope']]}"
    assert credential is not None
    answer = await scene.send(operation, {"authorization": credential} if credential else {})
    assert_refused(operation, answer, attack.status, attack.code)


@pytest.mark.parametrize("who", ["stranger", "colleague"])
@pytest.mark.parametrize("operation", TARGETED, ids=str)
async def test_what_belongs_to_somebody_else_is_not_there(scene: Scene, operation: Operation, who: str):
    """A stranger has every role in a tenant of their own (requirement 8.4.1), a colleague the same tenant and no role (8.2.2)."""
    row = ROWS[str(operation)]
    assert isinstance(row, Target)
    expected = getattr(row, who)
    if expected is None:
        return
    before = await scene.state()
    person: Person = getattr(scene, who)
    answer = await scene.send(operation, person.headers, row)
    assert_refused(operation, answer, *expected)
    assert await scene.state() == before, "and nothing of the victim's has changed"
