"""Clients of the public doors that write down everything they do and are told."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from claw_client import ServerEvent, events
from ops.faults.evidence import TERMINAL
from ops.faults.history import ClientOperation, HistoryRecorder, OperationKind, OperationOutcome, Sighting, StreamFrame
from ops.faults.texts import tokens_in

REQUEST_S_MAX = 12.0
SILENCE_S_MAX = 13.0  # of a stream: a heartbeat comes every 10 s
PAUSE_S = 0.3  # before trying again
PAGE = 100
SERVER_ERROR, NOT_FOUND = 500, 404
ERRORS = (aiohttp.ClientError, TimeoutError, ValueError)

Leaves = Callable[[ServerEvent], bool]


@dataclass(frozen=True, slots=True)
class ClientResponse:
    """A response; ``status`` 0 when there was none."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> OperationOutcome:
        """What the client knows after it."""
        if 200 <= self.status < 300:  # noqa: PLR2004
            return "ok"
        return "failed" if 400 <= self.status < SERVER_ERROR else "unknown"  # noqa: PLR2004


@dataclass(slots=True)
class ReplyReader:
    """A reader of one reply, over however many connections; ``last`` is the event that it resumes after."""

    name: str
    conversation: str
    reply: str
    last: str = ""
    end: str = ""  # the name of its terminal event
    seen: list[str] = field(default_factory=list)


class RecordedClient:
    """One account at the public doors. ``tenant`` is the word by which texts name its tenant."""

    _numbers = count()

    def __init__(
        self, session: aiohttp.ClientSession, headers: Mapping[str, str], *, tenant: str, base: str, recorder: HistoryRecorder, name: str
    ) -> None:
        self.session, self.headers = session, headers
        self.tenant, self.base, self.name = tenant, base, name
        self.recorder = recorder

    def named(self, name: str) -> "RecordedClient":
        """The same account as another client."""
        return RecordedClient(self.session, self.headers, tenant=self.tenant, base=self.base, recorder=self.recorder, name=name)

    async def send(
        self,
        kind: OperationKind,
        method: str,
        path: str,
        body: Any = None,
        *,
        see: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        **fields: Any,
    ) -> ClientResponse:
        """One request; ``see`` makes fields of the record from the body of a success, ``fields`` are known before."""
        begin = self.recorder.now()
        headers = dict(self.headers) | ({"Idempotency-Key": fields["key"]} if fields.get("key") else {})
        try:
            async with (
                asyncio.timeout(REQUEST_S_MAX),
                self.session.request(method, f"/api/v1/{path}", json=body, headers=headers) as response,
            ):
                text = await response.text()
                answer = ClientResponse(response.status, json.loads(text) if text else {})
        except ERRORS:
            answer = ClientResponse(0)
        shown = see(answer.body) if see is not None and answer.outcome == "ok" else {}
        self.record(kind, begin, answer, **(fields | shown))
        return answer

    def record(self, kind: OperationKind, begin: float, answer: ClientResponse, **fields: Any) -> None:
        """Write one request and its answer down."""
        code = str(answer.body.get("code", "")) if answer.outcome != "ok" else ""
        if code == "conversation_busy":
            fields["reply"] = answer.body.get("reply_id", "")
        known = dict[str, Any](client=self.name, tenant=self.tenant, outcome=answer.outcome, status=answer.status, code=code)
        self.recorder.add(ClientOperation(begin=begin, end=self.recorder.now(), kind=kind, **(known | fields)))

    # documents

    def _documents(self, document: str = "") -> str:
        return f"knowledge/{self.base}/documents" + (f"/{document}" if document else "")

    async def submit(self, document: str, text: str, token: str, key: str, probe: int = -1) -> ClientResponse:
        """POST a version of a document."""
        body = {"document_id": document, "title": document, "text": text}
        known = {"knowledge_base": self.base, "document": document, "token": token, "key": key, "probe": probe}
        return await self.send("submit", "POST", self._documents(), body, see=_accepted_version, **known)

    async def replace(self, document: str, text: str, token: str) -> ClientResponse:
        """PUT a version of a document."""
        known = {"knowledge_base": self.base, "document": document, "token": token}
        return await self.send("replace", "PUT", self._documents(document), {"text": text}, see=_accepted_version, **known)

    async def delete(self, document: str) -> ClientResponse:
        """DELETE a document."""
        return await self.send("delete", "DELETE", self._documents(document), knowledge_base=self.base, document=document)

    async def read_document(self, document: str, probe: int = -1) -> ClientResponse:
        """GET the state of a document."""

        def see(body: dict[str, Any]) -> dict[str, Any]:
            return {"state": body["state"], "version": -1 if body["visible_version"] is None else body["visible_version"]}

        known = {"knowledge_base": self.base, "document": document, "probe": probe}
        return await self.send("document", "GET", self._documents(document), see=see, **known)

    async def read_chunks(self, document: str) -> ClientResponse:
        """GET the first hundred chunks of a document."""

        def see(body: dict[str, Any]) -> dict[str, Any]:
            version = -1 if body["version"] is None else body["version"]
            seen = [
                Sighting(document=document, version=version, token=next(iter(tokens_in(item["text"])), ""), ordinal=item["ordinal"])
                for item in body["items"]
            ]
            return {"seen": tuple(seen), "version": version}

        known = {"knowledge_base": self.base, "document": document}
        return await self.send("chunks", "GET", f"{self._documents(document)}/chunks?limit={PAGE}", see=see, **known)

    async def search(self, document: str, query: str) -> ClientResponse:
        """POST a search for a document."""

        def see(body: dict[str, Any]) -> dict[str, Any]:
            seen = [
                Sighting(
                    document=passage["document_id"],
                    version=passage["version"],
                    token=next(iter(tokens_in(passage["text"])), ""),
                    ordinal=passage["ordinal"],
                    knowledge_base=passage["knowledge_base_id"],
                )
                for passage in body["passages"]
            ]
            return {"seen": tuple(seen)}

        known = {"knowledge_base": self.base, "document": document}
        return await self.send("search", "POST", f"knowledge/{self.base}/search", {"query": query, "limit": 5}, see=see, **known)

    # conversations

    async def create_conversation(self) -> str:
        """The id of a new conversation; "" when it was refused."""
        try:
            async with (
                asyncio.timeout(REQUEST_S_MAX),
                self.session.post("/api/v1/conversations", json={}, headers=self.headers) as response,
            ):
                return str((await response.json())["id"]) if response.ok else ""
        except (*ERRORS, KeyError):
            return ""

    async def ask(
        self,
        conversation: str,
        trace: str,
        key: str,
        *,
        question: str = "",
        regenerates: str = "",
        leaves: Leaves | None = None,
        probe: int = -1,
    ) -> tuple[ClientResponse, ReplyReader | None]:
        """Ask, or generate an answer again, and read the stream until it ends or ``leaves``; no reader unless it was accepted."""
        kind: OperationKind = "regenerate" if regenerates else "ask"
        path = f"replies/{regenerates}/regenerate" if regenerates else "messages"
        known = {"conversation": conversation, "token": trace, "key": key, "probe": probe}
        headers = {**self.headers, "Accept": "text/event-stream", "Idempotency-Key": key}
        begin, reader = self.recorder.now(), None
        try:
            async with self.session.post(
                f"/api/v1/conversations/{conversation}/{path}",
                json={} if regenerates else {"content": question},
                headers=headers,
                timeout=STREAM_TIMEOUT,
            ) as response:
                if response.status != 200:  # noqa: PLR2004
                    answer = ClientResponse(response.status, json.loads(await response.text()))
                    self.record(kind, begin, answer, **known)
                    return answer, None
                async for sent in events(response.content):
                    if reader is None:
                        reader = self.reader(conversation, sent.data["reply_id"])
                        fields = known | {"reply": reader.reply, "message": sent.data["message_id"], "reader": reader.name}
                        self.record(kind, begin, ClientResponse(200), **fields)
                    self.take(reader, sent)
                    if reader.end or (leaves is not None and leaves(sent)):
                        break
        except (*ERRORS, KeyError):
            pass
        if reader is None:
            self.record(kind, begin, ClientResponse(0), **known)
            return ClientResponse(0), None
        return ClientResponse(200), reader

    async def ask_again(self, conversation: str, trace: str, key: str, question: str) -> ClientResponse:
        """The same question with the same key, answered as JSON."""
        known = {"conversation": conversation, "token": trace, "key": key}

        def see(body: dict[str, Any]) -> dict[str, Any]:
            return {"reply": body["reply_id"], "message": body["message"]["id"]}

        return await self.send("ask", "POST", f"conversations/{conversation}/messages", {"content": question}, see=see, **known)

    def reader(self, conversation: str, reply: str) -> ReplyReader:
        """A new reader of a reply."""
        return ReplyReader(f"{self.name}-{next(self._numbers)}", conversation, reply)

    async def resume(self, reader: ReplyReader, leaves: Leaves | None = None) -> ClientResponse:
        """Read on after the last event, until the end or ``leaves``."""
        begin, answer = self.recorder.now(), ClientResponse(0)
        headers = dict(self.headers) | ({"Last-Event-ID": reader.last} if reader.last else {})
        known = {"conversation": reader.conversation, "reply": reader.reply, "reader": reader.name, "after": reader.last}
        path = f"/api/v1/conversations/{reader.conversation}/replies/{reader.reply}/stream"
        opened = False
        try:
            async with self.session.get(path, headers=headers, timeout=STREAM_TIMEOUT) as response:
                answer = ClientResponse(response.status)
                if response.status != 200:  # noqa: PLR2004
                    text = await response.text()
                    answer = ClientResponse(response.status, json.loads(text) if text else {})
                self.record("resume", begin, answer, **known)
                opened = True
                if response.status == 200:  # noqa: PLR2004
                    async for sent in events(response.content):
                        self.take(reader, sent)
                        if reader.end or (leaves is not None and leaves(sent)):
                            break
        except ERRORS:
            pass
        if not opened:
            self.record("resume", begin, answer, **known)
        return answer

    async def follow(self, reader: ReplyReader, leaves: Leaves | None = None, is_over: Callable[[], bool] = bool) -> None:
        """Resume until the reply has ended, or ``is_over``."""
        while not reader.end and not is_over():
            answer = await self.resume(reader, leaves)
            if answer.status != 200:  # noqa: PLR2004
                await asyncio.sleep(PAUSE_S)

    def take(self, reader: ReplyReader, sent: ServerEvent) -> None:
        """Write down what a reader received."""
        self.recorder.add(
            StreamFrame(at=self.recorder.now(), reader=reader.name, reply=reader.reply, id=sent.id, name=sent.name, data=sent.data)
        )
        reader.last = sent.id
        reader.seen.append(sent.name)
        if sent.name in TERMINAL:
            reader.end = sent.name

    async def cancel(self, reader: ReplyReader) -> ClientResponse:
        """POST a cancel."""
        path = f"conversations/{reader.conversation}/replies/{reader.reply}/cancel"
        return await self.send("cancel", "POST", path, conversation=reader.conversation, reply=reader.reply)

    async def read_reply(self, conversation: str, reply: str) -> ClientResponse:
        """GET a reply."""

        def see(body: dict[str, Any]) -> dict[str, Any]:
            return {"state": body["state"], "text": (body.get("message") or {}).get("content", "")}

        return await self.send(
            "reply", "GET", f"conversations/{conversation}/replies/{reply}", see=see, conversation=conversation, reply=reply
        )


STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_S_MAX)


def _accepted_version(body: dict[str, Any]) -> dict[str, Any]:
    return {"version": body["version"]}
