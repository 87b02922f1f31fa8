"""Mixed load through the public doors: questions, documents, searches, a stranger, and a watch over readiness.

Every task ends soon after ``over`` is set: no new work is begun, what was begun is followed to its end.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import aiohttp

from claw_client import ServerEvent
from ops.faults.clients import PAUSE_S, SERVER_ERROR, ClientResponse, RecordedClient, ReplyReader
from ops.faults.history import HistoryRecorder, ReadinessSample
from ops.faults.sockets import ask_by_socket
from ops.faults.texts import document_name, document_text, place_name, question_text, version_token

DOCUMENTS = 10  # of each tenant
HOT = 2  # of those, which are replaced all the time and asked for most
CHATS = 5  # conversations at once, in each tenant
WRITERS = 2  # of documents over HTTP, in each tenant
TRIES_S = 45.0  # how long a client repeats a request with the same key
THINKS_S = 1.5
CONVERSATION_QUESTIONS = 4
EARLIER_MAX = 20  # writes that may be repeated late
READY_EVERY_S, READY_S_MAX = 0.25, 2.5
SLOW = "token_ms=150"
CALL_FAULTS = tuple(
    "429 500 cut_before cut_middle reset_middle broken_frame error_object hang_middle split_utf8 no_usage wrong_usage no_done".split()
)  # of the provider, for single questions


@dataclass(slots=True)
class FaultLoad:
    """What the tasks share. ``over`` ends the load, ``closed`` also the reading of what was begun."""

    recorder: HistoryRecorder
    chance: random.Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    serials: Any = field(default_factory=lambda: count(1))

    def tasks(self, clients: list[RecordedClient], strangers: dict[str, str]) -> list[Coroutine[Any, Any, None]]:
        """All the work of these accounts; ``strangers``: a path of another tenant, by the word of each."""
        work: list[Coroutine[Any, Any, None]] = []
        for client in clients:
            work += [Chat(self, client.named(f"{client.tenant}-chat-{n}"), self.fork()).run() for n in range(CHATS)]
            work += [
                DocumentWriter(self, client.named(f"{client.tenant}-writer-{n}"), self.fork(), range(n, DOCUMENTS, WRITERS)).run()
                for n in range(WRITERS)
            ]
            work += [self.search(client.named(f"{client.tenant}-search"), self.fork())]
            work += [self.trespass(client.named(f"{client.tenant}-stranger"), strangers[client.tenant])]
        return work

    def fork(self) -> random.Random:
        """A source of chance for one task: what others draw does not change it."""
        return random.Random(self.chance.getrandbits(64))  # noqa: S311 - to be repeated, not to be secret

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the load."""
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            pass

    def key(self, chance: random.Random) -> str:
        """A new idempotency key."""
        return f"{chance.getrandbits(96):024x}"

    def pick(self, chance: random.Random) -> int:
        """The number of a document; half the time a hot one."""
        return chance.randrange(HOT) if chance.random() < 0.5 else chance.randrange(DOCUMENTS)  # noqa: PLR2004

    async def search(self, client: RecordedClient, chance: random.Random) -> None:
        """Look for documents, and for what they hold."""
        while not self.over.is_set():
            number = self.pick(chance)
            if chance.random() < 0.7:  # noqa: PLR2004
                await client.search(document_name(number), f"lighthouse of {place_name(number)}")
            else:
                await client.read_chunks(document_name(number))
            await self.pause(chance.uniform(0.05, 0.4))

    async def trespass(self, client: RecordedClient, path: str) -> None:
        """Try to read what belongs to another tenant."""
        while not self.over.is_set():
            await client.send("trespass", "GET", path)
            await self.pause(2.0)


@dataclass(slots=True)
class Chat:
    """A person who asks, reads, leaves and comes back, cancels, asks again and generates again."""

    load: FaultLoad
    client: RecordedClient
    chance: random.Random
    conversation: str = ""
    left: int = 0  # questions before a new conversation

    async def run(self) -> None:
        """Until the load is over; replies that were begun are read to their end."""
        await self.load.pause(self.chance.uniform(0, THINKS_S))
        while not self.load.over.is_set():
            if not self.left:
                self.conversation, self.left = await self.client.create_conversation(), CONVERSATION_QUESTIONS
            if not self.conversation:
                self.left = 0
                await self.load.pause(PAUSE_S)
                continue
            self.left -= 1
            await self.question()
            await self.load.pause(self.chance.uniform(0, THINKS_S))

    async def question(self) -> None:
        """One question in one of the ways of people."""
        trace = f"q{next(self.load.serials)}"
        number, key = self.load.pick(self.chance), self.load.key(self.chance)
        text = question_text(number, trace, self._behaviour())
        way = self.chance.choice(
            ("read", "read", "leave", "leave", "cancel", "cancel_at_once", "twice", "again", "regenerate", "second", "socket")
        )
        often = self._leaves_sometimes
        leaves = {"leave": often, "socket": often, "cancel": _at_text, "cancel_at_once": _at_once}.get(way)
        reader = await self.accepted(trace, key, question=text, leaves=leaves, way=way)
        if reader is None:
            return
        if way in ("cancel", "cancel_at_once") and not reader.end:
            await self.client.cancel(reader)
        second = self.client.reader(self.conversation, reader.reply) if way == "second" else None
        if second is not None:  # beside the first one
            await self.client.resume(second, self._leaves_sometimes)
        await self.read_to_the_end(reader, leaves=self._leaves_sometimes if way == "leave" else None)
        if second is not None:
            await self.read_to_the_end(second)
        await self.afterwards(way, reader, trace, key, text)

    def _behaviour(self) -> str:
        """What the provider is told about this question: some are answered slowly, some calls fail."""
        drawn = self.chance.random()
        return f"fault={self.chance.choice(CALL_FAULTS)}" if drawn < 0.12 else SLOW if drawn < 0.5 else ""  # noqa: PLR2004

    async def afterwards(self, way: str, reader: ReplyReader, trace: str, key: str, text: str) -> None:
        """What some do once they have read an answer."""
        if way == "again":
            await self.client.ask_again(self.conversation, trace, key, text)
        if way == "regenerate" and reader.end == "completed" and not self.load.over.is_set():
            again = await self.accepted(trace, self.load.key(self.chance), regenerates=reader.reply)
            if again is not None:
                await self.read_to_the_end(again)
        elif self.chance.random() < 0.3:  # noqa: PLR2004
            await self.client.read_reply(self.conversation, reader.reply)

    async def accepted(self, trace: str, key: str, *, way: str = "", **asked: Any) -> ReplyReader | None:
        """Repeat the request with the same key until it is accepted or refused for good."""
        ask: Callable[..., Coroutine[Any, Any, tuple[ClientResponse, ReplyReader | None]]] = self.client.ask
        if way == "socket":
            ask = partial(ask_by_socket, self.client)
        until = self.load.recorder.now() + TRIES_S
        while self.load.recorder.now() < until and not self.load.closed.is_set():
            answer, reader = await ask(self.conversation, trace, key, **asked)
            if reader is not None:
                return reader
            if 400 <= answer.status < SERVER_ERROR:  # noqa: PLR2004
                self.left = 0
                return None
            if way == "twice":  # at once, while the first request may still be on its way
                await self.client.ask_again(self.conversation, trace, key, asked["question"])
            await asyncio.sleep(PAUSE_S)
        self.left = 0
        return None

    async def read_to_the_end(self, reader: ReplyReader, leaves: Callable[[ServerEvent], bool] | None = None) -> None:
        """Resume until the reply has ended."""
        await self.client.follow(reader, leaves, self.load.closed.is_set)

    def _leaves_sometimes(self, _: ServerEvent) -> bool:
        return self.chance.random() < 0.15  # noqa: PLR2004


def _at_text(sent: ServerEvent) -> bool:
    return sent.name == "delta"


def _at_once(_: ServerEvent) -> bool:
    return True


@dataclass(slots=True)
class DocumentWriter:
    """The only writer of some documents of a tenant: what it does to one document, it does one after the other."""

    load: FaultLoad
    client: RecordedClient
    chance: random.Random
    numbers: range
    serial: int = 0
    earlier: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)  # number: key, token and text of accepted writes

    async def run(self) -> None:
        """Until the load is over; at first every document is written once."""
        for number in self.numbers:
            await self.submit(number)
        while not self.load.over.is_set():
            hot = [number for number in self.numbers if number < HOT]
            number = self.chance.choice(hot if hot and self.chance.random() < 0.6 else self.numbers)  # noqa: PLR2004
            act = self.chance.choices((self.submit, self.replace, self.delete, self.repeat, self.read), (4, 3, 2, 2, 4))[0]
            await act(number)
            await self.load.pause(self.chance.uniform(0.05, 0.8))

    def write(self, number: int) -> tuple[str, str]:
        """The token and the text of a new version."""
        self.serial += 1
        token = version_token(self.client.tenant, number, self.serial)
        return token, document_text(number, token, self.chance.choice((1, 1, 1, 6)))

    async def submit(self, number: int) -> None:
        """POST, repeated with the same key until the outcome is known."""
        token, text = self.write(number)
        key = self.load.key(self.chance)
        answer = await self._until_known(lambda: self.client.submit(document_name(number), text, token, key))
        if answer.outcome == "ok":
            self.earlier.setdefault(number, []).append((key, token, text))
            del self.earlier[number][:-EARLIER_MAX]

    async def replace(self, number: int) -> None:
        """PUT, repeated until the outcome is known."""
        token, text = self.write(number)
        await self._until_known(lambda: self.client.replace(document_name(number), text, token))

    async def delete(self, number: int) -> None:
        """DELETE, repeated until the outcome is known."""
        await self._until_known(lambda: self.client.delete(document_name(number)))

    async def repeat(self, number: int) -> None:
        """A late repeat of an accepted POST, which must change nothing."""
        if known := self.earlier.get(number):
            key, token, text = self.chance.choice(known)
            await self.client.submit(document_name(number), text, token, key)

    async def read(self, number: int) -> None:
        """GET the state, then the chunks."""
        await self.client.read_document(document_name(number))
        await self.client.read_chunks(document_name(number))

    async def _until_known(self, write: Callable[[], Coroutine[Any, Any, ClientResponse]]) -> ClientResponse:
        until = self.load.recorder.now() + TRIES_S
        while True:
            answer = await write()
            if answer.outcome != "unknown" or self.load.recorder.now() > until or self.load.closed.is_set():
                return answer
            await asyncio.sleep(PAUSE_S)


async def watch_readiness(recorder: HistoryRecorder, url: str, stop: asyncio.Event) -> None:
    """Ask ``/readyz`` four times a second until ``stop`` is set."""
    timeout = aiohttp.ClientTimeout(total=READY_S_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as session:
        while not stop.is_set():
            at, status, down = recorder.now(), 0, ()
            try:
                async with session.get("/readyz") as answer:
                    status, down = answer.status, tuple((await answer.json()).get("down", ()))
            except (aiohttp.ClientError, TimeoutError, ValueError):
                pass
            recorder.add(ReadinessSample(at=at, end=recorder.now(), status=status, down=down))
            await asyncio.sleep(READY_EVERY_S)
