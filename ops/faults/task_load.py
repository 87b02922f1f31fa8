"""Work of every kind, begun through the public API as an administrator's, and everything that it left when all of it has ended."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web

from domain.chats.topics import MESSAGES_CHANGED
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.usage.topics import USAGE_RECORDED
from ops.faults.history import TopicRecord
from ops.faults.task_checks import TaskEvidence, WorkedTask, count_ends
from ops.faults.task_plan import TaskWork
from ops.faults.texts import document_text
from schemas import ids
from schemas.errors import Unavailable
from schemas.tasks import TERMINAL

REQUEST_S_MAX = 60.0  # with its repeats, while processes start again
PAUSE_S = 0.3
HANDS = 24  # pieces of work under way at once
POLL_S = 0.5
SETTLE_S = 1.0  # for a second message, or an end that follows another
PAGE = 100
SERVER_ERROR = 500
ENDS = (DOCUMENTS_PROGRESSED, MESSAGES_CHANGED, USAGE_RECORDED)  # topics that say what ended
ANSWER = "tokens=12&token_ms=20"  # what the stub provider is told


class TaskReceiver:
    """Receives webhooks; counts the attempts of each message by its id."""

    def __init__(self) -> None:
        self.url = ""
        self.attempts: Counter[str] = Counter()
        self.documents: dict[tuple[str, int], set[str]] = {}  # ids of messages, by document and version

    async def serve(self, request: web.Request) -> web.Response:
        """Take a message."""
        message, message_id = await request.json(), request.headers["webhook-id"]
        self.attempts[message_id] += 1
        if message["type"] == "document.indexed":
            data = message["data"]
            self.documents.setdefault((data["document_id"], data["version"]), set()).add(message_id)
        return web.Response(status=204)


@asynccontextmanager
async def receiving_tasks() -> AsyncIterator[TaskReceiver]:
    """A receiver on the loopback, until the block ends."""
    receiver, app = TaskReceiver(), web.Application()
    app.router.add_post("/", receiver.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield receiver
    finally:
        await runner.cleanup()


class TaskAccount:
    """An administrator at the public API: requests are repeated with their Idempotency-Key until they are answered."""

    def __init__(self, session: aiohttp.ClientSession, headers: Mapping[str, str]) -> None:
        self._session, self._headers = session, headers

    async def send(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The body of a success. Raises Unavailable for a refusal, and when nothing else comes."""
        headers = {**self._headers, "Idempotency-Key": str(uuid.uuid4())}
        last = ""
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                while True:
                    try:
                        async with self._session.request(method, f"/api/v1/{path}", json=body, headers=headers) as answer:
                            last = await answer.text()
                            if answer.ok:
                                return dict(await answer.json()) if last else {}
                            if answer.status < SERVER_ERROR:
                                raise Unavailable("overloaded", f"{method} {path}: {answer.status} {last[:300]}")
                    except aiohttp.ClientError as error:
                        last = repr(error)
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            raise Unavailable("overloaded", f"{method} {path} did not succeed within {REQUEST_S_MAX:g} s: {last[:300]}") from None

    async def read_tasks(self) -> list[dict[str, Any]]:
        """Every task of the tenant."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.send("GET", f"tasks?limit={PAGE}&cursor={cursor}")
            found += page["items"]
            if not (cursor := page["next_cursor"] or ""):
                return found


class TaskLoad:
    """Begins work and keeps what must come of it. ``pause_s``: between the beginnings of two pieces."""

    def __init__(self, account: TaskAccount, receiver: TaskReceiver, work: Sequence[TaskWork], *, pause_s: float) -> None:
        self._account, self._receiver, self._work, self._pause_s = account, receiver, work, pause_s
        self._room = asyncio.Semaphore(HANDS)
        self._run = uuid.uuid4().hex[:8]
        self._base = self._webhook = ""
        self.expected: dict[str, str] = {}  # ids of tasks, by what made them
        self._replies: dict[str, str] = {}  # names of questions, by reply
        self._versions: dict[str, tuple[str, str, int]] = {}  # task, document and version, by the name of its submission
        self._deleted: dict[str, str] = {}  # documents, by the name of their deletion
        self._rebuilt: dict[str, str] = {}  # knowledge bases, by the name of their rebuild
        self._messages: dict[str, str] = {}  # ids of messages, by name
        self.tasks: dict[str, dict[str, Any]] = {}  # as they were last read
        self._views: dict[str, list[dict[str, Any]]] = {}  # of each task since it had ended first, without repeats

    async def begin(self) -> None:
        """Begin everything, piece after piece. Raises Unavailable."""
        self._base = (await self._account.send("POST", "knowledge", {"name": f"tasks {self._run}"}))["id"]
        webhook = {"url": self._receiver.url, "event_types": ["document.indexed"]}
        self._webhook = (await self._account.send("POST", "webhooks", webhook))["id"]
        async with asyncio.TaskGroup() as begun:
            for work in self._work:
                await self._room.acquire()
                begun.create_task(self._begin_one(work))
                await asyncio.sleep(self._pause_s)

    async def _begin_one(self, work: TaskWork) -> None:
        acts: Mapping[str, Callable[[str, int], Any]] = {
            "document": self._submit,
            "question": self._ask,
            "deletion": self._delete,
            "message": self._test_webhook,
            "rebuild": self._rebuild,
        }
        try:
            await acts[work.kind](f"{work.kind} {work.number}", work.number)
        finally:
            self._room.release()

    async def _submit(self, name: str, number: int) -> tuple[str, str]:
        """The document and its task."""
        document = f"{self._run}-{number}"
        body = {"title": name, "text": document_text(number % 200, f"code-tasks-{number}-1", 1 + number % 4)}
        accepted = await self._account.send("PUT", f"knowledge/{self._base}/documents/{document}", body)
        self.expected[name] = accepted["task_id"]
        self._versions[name] = (accepted["task_id"], document, accepted["version"])
        return document, accepted["task_id"]

    async def _ask(self, name: str, number: int) -> None:
        conversation = (await self._account.send("POST", "conversations", {"knowledge_base_ids": [self._base]}))["id"]
        body = {"content": f"What does lighthouse {number} show to the ships? [[{ANSWER}]]"}
        self.expected[name] = (await self._account.send("POST", f"conversations/{conversation}/messages", body))["reply_id"]
        self._replies[name] = self.expected[name]

    async def _delete(self, name: str, number: int) -> None:
        document, task = await self._submit(f"document of {name}", number)
        while (await self._account.send("GET", f"tasks/{task}"))["ended_at"] is None:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(POLL_S)
        await self._account.send("DELETE", f"knowledge/{self._base}/documents/{document}")
        self._deleted[name] = document

    async def _test_webhook(self, name: str, _: int) -> None:
        self._messages[name] = (await self._account.send("POST", f"webhooks/{self._webhook}/test"))["id"]
        self.expected[name] = ids.task_id(self._messages[name])

    async def _rebuild(self, name: str, number: int) -> None:
        """Of a knowledge base of its own, with a document."""
        base = (await self._account.send("POST", "knowledge", {"name": f"{name} {self._run}"}))["id"]
        body = {"title": name, "text": document_text(number % 200, f"code-tasks-{number}-1", 2)}
        accepted = await self._account.send("PUT", f"knowledge/{base}/documents/{self._run}-{number}", body)
        self.expected[f"document of {name}"] = accepted["task_id"]
        await self._account.send("POST", f"knowledge/{base}/index/rebuild", {"chunk_tokens": 200})
        self._rebuilt[name] = base

    async def watch(self) -> bool:
        """Read every task once; whether all have ended."""
        self.tasks = {task["id"]: task for task in await self._account.read_tasks()}
        for task_id, task in self.tasks.items():
            shown = self._views.setdefault(task_id, [])
            if (shown or task["state"] in TERMINAL) and task not in shown[-1:]:
                shown.append(task)
        return all(task["state"] in TERMINAL for task in self.tasks.values())

    async def wait_ended(self, timeout_s: float) -> bool:
        """Read them until everything has come, has ended, and nothing follows; whether that was in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (await self.watch() and self._has_come()):  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return False
        await asyncio.sleep(SETTLE_S)
        return await self.watch()

    def _has_come(self) -> bool:
        """Whether every task is listed, and every message of a webhook was received."""
        submitted = ((task, (document, version)) for task, document, version in self._versions.values())
        return (
            self.tasks.keys() >= set(self.expected.values())
            and all(self._find("update_knowledge_base", document_id=document) for document in self._deleted.values())
            and all(self._find("rebuild", knowledge_base_id=base) for base in self._rebuilt.values())
            and all(self._receiver.attempts[message] for message in self._messages.values())
            and all(self.tasks[task]["state"] != "SUCCESS" or version in self._receiver.documents for task, version in submitted)
        )

    async def collect(self, records: Sequence[TopicRecord], rebuilt: Mapping[str, dict[str, Any]] | None = None) -> TaskEvidence:
        """What is left; ``records`` are those of the topics ``ENDS``. Raises Unavailable."""
        ends = count_ends(records)
        succeeded = {task_id for task_id, task in self.tasks.items() if task["state"] == "SUCCESS"}
        effects: dict[str, int] = {}
        for name, reply in self._replies.items():
            effects[f"{name}: stored"] = ends["stored"].get(reply, 0)
            if reply in succeeded:
                effects[f"{name}: charged"] = ends["charged"].get(reply, 0)
        for name, (task, document, version) in self._versions.items():
            if task in succeeded:
                effects[f"{name}: indexed"] = ends["indexed"].get(task, 0)
                effects[f"{name}: webhook"] = len(self._receiver.documents.get((document, version), ()))
        for name, message in self._messages.items():
            effects[f"{name}: received"] = min(1, self._receiver.attempts[message])  # again with the same id is a repeat
        expected = dict(self.expected)
        for name, document in self._deleted.items():
            deletions = self._find("update_knowledge_base", document_id=document)
            expected[name] = deletions[0] if deletions else ""
            effects[f"{name}: tasks"] = len(deletions)
            effects[f"{name}: deleted"] = sum(ends["deleted"].get(task, 0) for task in deletions)
        for name, base in self._rebuilt.items():
            builds = self._find("rebuild", knowledge_base_id=base)
            expected[name] = builds[0] if builds else ""
            effects[f"{name}: tasks"] = len(builds)
            index = await self._account.send("GET", f"knowledge/{base}/index")
            effects[f"{name}: generation"] = index["active"]["generation"]
        worked = [
            WorkedTask(
                id=task_id,
                kind=task["kind"],
                created_at=datetime.fromisoformat(task["created_at"]),
                views=tuple(self._views[task_id]),
            )
            for task_id, task in self.tasks.items()
        ]
        return TaskEvidence(tasks=worked, expected=expected, effects=effects, rebuilt=rebuilt)

    def _find(self, kind: str, **subject: str) -> list[str]:
        """Tasks of a kind about a subject."""
        return sorted(
            task_id for task_id, task in self.tasks.items() if task["kind"] == kind and subject.items() <= task["subject"].items()
        )
