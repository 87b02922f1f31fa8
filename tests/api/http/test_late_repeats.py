"""Repeats of a request after its stored response is gone: every POST says what becomes of them, and what was written since stays."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from api.app import create_app
from api.core import Core
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.knowledge.ports import KnowledgePorts
from schemas.audit import AuditRecorded
from schemas.documents import Shelf
from schemas.indexes import IndexPlan
from schemas.settings import AuthSettings, Settings
from schemas.settings.section import Secret
from streams.log.outgoing import LogOffset, Outgoing
from tests.support.api_people import asked, colleague, key_of, promoted, tenant_of
from tests.support.api_process import PASSWORD, House, Person, lose
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Case:
    """One request of somebody, with its key, and what happens after it."""

    def __init__(self, person: Person) -> None:
        self.person, self.house, self.key = person, person.house, uuid.uuid4().hex

    async def send(self, path: str, **rest: Any) -> httpx.Response:
        headers = {"idempotency-key": self.key} if not path.endswith("/register") else {"idempotency-key": self.key, "authorization": ""}
        answer = await self.person.call("POST", path, headers=headers, **rest)
        assert answer.is_success, answer.text
        return answer

    async def plan(self, **changes: Any) -> None:
        """The index plan of the default knowledge base after a step of the workers."""
        base = self.person.base

        def step(plan: IndexPlan) -> IndexPlan:
            return replace(plan, **changes)

        await self.house.ports(KnowledgePorts).plans.change(tenant_of(self.person), base, step, by="worker")


Send = Callable[[], Awaitable[httpx.Response]]
After = Callable[[], Awaitable[object]]


async def _conversation(case: Case) -> tuple[Send, After]:
    async def renamed() -> None:
        (made,) = (await case.person.call("GET", "/conversations")).json()["items"]
        await case.person.call("PATCH", f"/conversations/{made['id']}", json={"title": "newer"})

    return lambda: case.send("/conversations", json={"title": "older"}), renamed


async def _knowledge(case: Case) -> tuple[Send, After]:
    async def renamed() -> None:
        made = (await case.person.call("GET", "/knowledge")).json()["items"][0]
        await case.person.call("PATCH", f"/knowledge/{made['id']}", json={"name": "newer"})

    return lambda: case.send("/knowledge", json={"name": "older"}), renamed


async def _api_key(case: Case) -> tuple[Send, After]:
    return lambda: case.send("/api-keys", json={"name": "k"}), lambda: case.person.call("POST", "/api-keys", json={"name": "other"})


async def _rotation(case: Case) -> tuple[Send, After]:
    made = (await case.person.call("POST", "/api-keys", json={"name": "k"})).json()
    path = f"/api-keys/{made['id']}"
    return lambda: case.send(f"{path}/rotate", json={}), lambda: case.person.call("PATCH", path, json={"name": "newer"})


async def _invitation(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person, "admin")
    path = "/organisation/invitations"
    return lambda: case.send(path, json={"role": "user"}), lambda: case.person.call("POST", path, json={"role": "admin"})


async def _erase_member(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person, "admin")
    member = await colleague(case.house, case.person)
    path = f"/users/{member.user['id']}/erasure"
    return lambda: case.send(path, json={"password": PASSWORD}), lambda: case.person.call("GET", "/users")


async def _erase_organisation(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person)
    other = await case.house.person()
    body = {"password": PASSWORD, "organisation": tenant_of(other)}
    return lambda: case.send("/organisation/erasure", json=body), lambda: case.person.call("GET", "/users")


async def _register(case: Case) -> tuple[Send, After]:
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    return lambda: case.send("/auth/register", json=body), lambda: case.person.call("GET", "/users/me")


async def _retry(case: Case) -> tuple[Send, After]:
    """Of a version that was cancelled, and a newer version since."""
    path = f"/knowledge/{case.person.base}/documents/d"
    task_id = (await case.person.call("PUT", path, json={"text": "older"})).json()["task_id"]
    await case.person.call("POST", f"/tasks/{task_id}/cancel")
    return lambda: case.send(f"/tasks/{task_id}/retry"), lambda: case.person.call("PUT", path, json={"text": "newer"})


async def _schedule(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person, "admin")
    body = {"spec": {"kind": "interval", "every_s": 3_600}, "action": {"kind": "rebuild", "knowledge_base_id": case.person.base}}

    async def changed() -> None:
        (made,) = (await case.person.call("GET", "/schedules")).json()["items"]
        await case.person.call("PATCH", f"/schedules/{made['id']}", json={"name": "newer"})

    return lambda: case.send("/schedules", json=body | {"name": "older"}), changed


async def _trigger(case: Case) -> tuple[Send, After]:
    send, _ = await _schedule(case)
    path = f"/schedules/{(await send()).json()['id']}/trigger"
    return lambda: case.send(path), lambda: case.person.call("POST", path)


async def _bulk(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person, "admin")
    body = {"action": "cancel", "state": "PENDING"}
    return lambda: case.send("/tasks/bulk", json=body), lambda: case.person.call("POST", "/tasks/bulk", json=body)


def _document(path: str, **body: Any) -> Callable[[Case], Awaitable[tuple[Send, After]]]:
    """A submission, and a newer version since."""

    async def case_of(case: Case) -> tuple[Send, After]:
        documents = f"/knowledge/{case.person.base}/documents"
        if path.startswith("/d/"):
            await case.person.call("PUT", f"{documents}/d", json={"text": "before"})

        async def replaced() -> None:
            await case.person.call("PUT", f"{documents}/d", json={"text": "newer"})

        return lambda: case.send(f"{documents}{path}", **body), replaced

    return case_of


async def _feedback(case: Case) -> tuple[Send, After]:
    conversation = await case.person.conversation()
    reply = (await asked(case.person, conversation))["reply_id"]
    await Speaker(case.house, case.person, conversation, reply).answer("25 days")
    path = f"/conversations/{conversation}/replies/{reply}/feedback"
    return lambda: case.send(path, json={"rating": "up"}), lambda: case.person.call("POST", path, json={"rating": "down"})


async def _message(case: Case) -> tuple[Send, After]:
    conversation = await case.person.conversation()
    return _answered(case, conversation, f"/conversations/{conversation}/messages", json={"content": "older"})


async def _edit(case: Case) -> tuple[Send, After]:
    conversation = await case.person.conversation()
    first = await asked(case.person, conversation)
    await Speaker(case.house, case.person, conversation, first["reply_id"]).answer("25 days")
    path = f"/conversations/{conversation}/messages/{first['message']['id']}/edit"
    return _answered(case, conversation, path, json={"content": "otherwise"})


async def _regenerate(case: Case) -> tuple[Send, After]:
    conversation = await case.person.conversation()
    first = await asked(case.person, conversation)
    await Speaker(case.house, case.person, conversation, first["reply_id"]).answer("25 days")
    return _answered(case, conversation, f"/conversations/{conversation}/replies/{first['reply_id']}/regenerate")


def _answered(case: Case, conversation: str, path: str, **body: Any) -> tuple[Send, After]:
    replies: list[str] = []

    async def send() -> httpx.Response:
        answer = await case.send(path, **body)
        replies.append(answer.json()["reply_id"])
        return answer

    async def answered() -> None:
        await Speaker(case.house, case.person, conversation, replies[0]).answer("30 days")

    return send, answered


async def _rebuild(case: Case) -> tuple[Send, After]:
    path = f"/knowledge/{case.person.base}/index/rebuild"
    return lambda: case.send(path, json={"chunk_tokens": 64}), lambda: case.plan(other=None, state="steady")


async def _back(case: Case) -> tuple[Send, After]:
    """Switched back, and forth again by somebody else."""
    await case.plan(other=Shelf(generation=1), state="kept", newest=1)
    path = f"/knowledge/{case.person.base}/index/back"
    return lambda: case.send(path), lambda: case.person.call("POST", path)


async def _drop(case: Case) -> tuple[Send, After]:
    """Discarded and gone, and another one built since."""
    await case.plan(other=Shelf(generation=1), state="building", newest=1)
    path = f"/knowledge/{case.person.base}/index/drop"
    return lambda: case.send(path), lambda: case.plan(other=Shelf(generation=2), state="building", newest=2)


async def _webhook(case: Case) -> tuple[Send, After]:
    async def changed() -> None:
        (made,) = (await case.person.call("GET", "/webhooks")).json()["items"]
        await case.person.call("PATCH", f"/webhooks/{made['id']}", json={"description": "newer"})

    return lambda: case.send("/webhooks", json={"url": "https://hooks.example.com/"}), changed


async def _webhook_rotation(case: Case) -> tuple[Send, After]:
    path = f"/webhooks/{(await case.person.call('POST', '/webhooks', json={'url': 'https://hooks.example.com/'})).json()['id']}"
    return lambda: case.send(f"{path}/secret"), lambda: case.person.call("PATCH", path, json={"description": "newer"})


CONFIG = "/configs/cap.enterprise_sockets_max"  # which nobody here has
SINCE = {"stage": 76, "promote": 77, "abort": 78}  # a value that is there already is no change


async def _import(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person)
    values = {"values": {"cap.enterprise_sockets_max": 71}}
    return lambda: case.send("/configs/import", json=values), lambda: case.person.call("PUT", CONFIG, json={"value": 72})


async def _rollback(case: Case) -> tuple[Send, After]:
    await promoted(case.house, case.person)
    await case.person.call("PUT", CONFIG, json={"value": 73})
    send = case.send
    return lambda: send(f"{CONFIG}/rollback", json={"revision": 0}), lambda: case.person.call("PUT", CONFIG, json={"value": 74})


def _stage(verb: str) -> Callable[[Case], Awaitable[tuple[Send, After]]]:
    """The stage of a key, or its end; and a change since."""

    async def case_of(case: Case) -> tuple[Send, After]:
        await promoted(case.house, case.person)
        stage = {"value": 75, "workers": ["api"]}

        async def changed() -> None:
            if verb == "stage":
                await case.person.call("POST", f"{CONFIG}/abort", json={})
            await case.person.call("PUT", CONFIG, json={"value": SINCE[verb]})

        if verb == "stage":
            return lambda: case.send(f"{CONFIG}/stage", json=stage), changed
        await case.person.call("POST", f"{CONFIG}/stage", json=stage)
        return lambda: case.send(f"{CONFIG}/{verb}", json={}), changed

    return case_of


FILE = {"data": {"document_id": "d"}, "files": {"file": ("d.txt", b"older", "text/plain")}}
DOCUMENTS = "/api/v1/knowledge/{knowledge_base_id:str}/documents"
INDEX = "/api/v1/knowledge/{knowledge_base_id:str}/index"
REPLY = "/api/v1/conversations/{conversation_id:str}/replies/{reply_id:str}"
CASES: dict[str, Callable[[Case], Awaitable[tuple[Send, After]]]] = {
    "/api/v1/conversations": _conversation,
    "/api/v1/knowledge": _knowledge,
    "/api/v1/api-keys": _api_key,
    "/api/v1/api-keys/{key_id:str}/rotate": _rotation,
    "/api/v1/organisation/invitations": _invitation,
    "/api/v1/users/{user_id:str}/erasure": _erase_member,
    "/api/v1/organisation/erasure": _erase_organisation,
    "/api/v1/auth/register": _register,
    "/api/v1/webhooks": _webhook,
    "/api/v1/webhooks/{webhook_id:str}/secret": _webhook_rotation,
    DOCUMENTS: _document("", json={"document_id": "d", "text": "older"}),
    f"{DOCUMENTS}/upload": _document("/upload", **FILE),
    f"{DOCUMENTS}/url": _document("/url", json={"document_id": "d", "url": "https://93.184.216.34/"}),
    f"{DOCUMENTS}/{{document_id:str}}/reprocess": _document("/d/reprocess"),
    f"{REPLY}/feedback": _feedback,
    "/api/v1/conversations/{conversation_id:str}/messages": _message,
    "/api/v1/conversations/{conversation_id:str}/messages/{message_id:str}/edit": _edit,
    f"{REPLY}/regenerate": _regenerate,
    f"{INDEX}/rebuild": _rebuild,
    f"{INDEX}/back": _back,
    f"{INDEX}/drop": _drop,
    "/api/v1/tasks/{task_id:str}/retry": _retry,
    "/api/v1/tasks/bulk": _bulk,
    "/api/v1/schedules": _schedule,
    "/api/v1/schedules/{schedule_id:str}/trigger": _trigger,
    "/api/v1/configs/import": _import,
    "/api/v1/configs/{config_key:str}/rollback": _rollback,
    **{f"/api/v1/configs/{{config_key:str}}/{verb}": _stage(verb) for verb in ("stage", "promote", "abort")},
}
IDENTITY = frozenset(  # of what was written
    {"id", "user", "key", "secret", "invitation", "reply_id", "document_id", "version", "task_id", "rating"}
)


def routes() -> dict[str, Any]:
    """What each POST route declares."""
    app = create_app(Settings(auth=AuthSettings(secret=Secret("test-" * 8))))
    found: dict[str, Any] = {}
    for route in app.routes:
        if "POST" in getattr(route, "methods", ()):
            handler = route.route_handler_map["POST"]  # type: ignore[union-attr]
            found[route.path] = (handler[0] if isinstance(handler, tuple) else handler).opt.get("late_repeat")
    return found


async def test_every_post_declares_what_becomes_of_a_late_repeat() -> None:
    """And each that is answered is tried below."""
    declared = routes()
    assert len(declared) > 20
    assert {path for path, kind in declared.items() if kind not in {ANSWERED["late_repeat"], RUNS_AGAIN["late_repeat"]}} == set()
    assert {path for path, kind in declared.items() if kind == ANSWERED["late_repeat"]} == set(CASES)


@pytest.mark.parametrize("path", CASES)
async def test_a_late_repeat_is_answered_and_writes_nothing(house: House, ada: Person, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the status and the ids of then, whatever was written since."""
    send, happen = await CASES[path](Case(ada))
    first = await send()
    await happen()
    await lose(house, "idempotency:*")
    written = spy(house, monkeypatch)
    again = await send()
    assert written == []
    assert again.status_code == first.status_code
    assert {name: again.json()[name] for name in IDENTITY & again.json().keys()} == {
        name: first.json()[name] for name in IDENTITY & first.json().keys()
    }


def spy(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The topics of what is published from now on, but for refusals of before: they are recorded beside their requests."""
    publisher = house.ports(Core).publisher
    enqueue, written = publisher.enqueue, list[str]()

    async def record(outgoing: Outgoing) -> Awaitable[LogOffset]:
        if not (isinstance(outgoing.event, AuditRecorded) and outgoing.event.data.outcome == "refused"):
            written.append(outgoing.topic.name)
        return await enqueue(outgoing)

    monkeypatch.setattr(publisher, "enqueue", record)
    return written


async def test_a_late_repeat_brings_no_deleted_document_back(house: House, ada: Person) -> None:
    case, path = Case(ada), f"/knowledge/{ada.base}/documents"
    body = {"document_id": "d", "text": "older"}
    version = (await case.send(path, json=body)).json()["version"]
    await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "d"), version + 1)
    await lose(house, "idempotency:*")
    headers = {"idempotency-key": case.key}
    is_problem(await ada.call("POST", path, json=body, headers=headers), 410, "deleted_since")


async def test_a_late_upload_leaves_no_file_behind(house: House, ada: Person) -> None:
    case, path = Case(ada), f"/knowledge/{ada.base}/documents/upload"
    await case.send(path, **FILE)
    await lose(house, "idempotency:*")
    before = {each for each in (house.settings.node.home / "blobs").rglob("*") if each.is_file()}
    await case.send(path, **FILE)
    assert {each for each in (house.settings.node.home / "blobs").rglob("*") if each.is_file()} == before
