"""A scripted model, and Redis as the generating agent sees it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from adapters.models.port import Piece
from agents.generate import Generate
from domain.chats.reply_log import ReplyState
from schemas.chats import ChatGrounded, Grounding, Message, Passage, Question
from schemas.errors import Unavailable
from schemas.settings import ModelSettings
from streams.live import Live
from tests.support.ports import NOW, header

PASSAGE = Passage(
    marker=1, chunk_id="c1", knowledge_base_id="kb", document_id="doc", version=5, ordinal=0, title="T", score=1.0, text="灯塔高41.8米。"
)


@dataclass
class Script:
    """A model that says what it is told; a callable in the script is awaited, an exception raised."""

    script: list[object]
    name: str = "scripted"
    asked: int = 0
    request: Any = None

    @property
    def names(self):
        return (self.name,)

    async def answer(self, request):
        self.asked += 1
        self.request = request
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            elif isinstance(step, str):
                yield Piece(step)
            else:
                yield step


@dataclass
class Redis:
    """Turns, views, visibility and cancels in one, with a switch for an outage."""

    visible: int = 5
    down: bool = False
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    stored: dict[str, Message] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    deleted: bool = False

    def __post_init__(self) -> None:
        self.messages = self

    def _check(self) -> None:
        if self.down:
            raise Unavailable("redis_unavailable")

    async def release(self, tenant, conversation, reply_id):
        self._check()
        self.closed.append(reply_id)

    @contextmanager
    def subscribe(self, tenant, reply_id) -> Iterator[asyncio.Event]:
        yield self.cancel

    async def check(self, event):
        pass

    async def get(self, scope, ident):
        self._check()
        return self.stored.get(ident)

    async def is_closed(self, scope):
        self._check()
        return self.deleted

    async def apply(self, event, place):
        self._check()
        assert self.closed == []  # the message is readable before the conversation is free
        self.stored[event.data.id] = event.data

    async def put_brief_message(self, tenant, message, place):
        self._check()
        self.stored[message.id] = message

    async def version_states(self, keys):
        self._check()
        return {key: StoredVersion(self.visible) for key in keys}


@dataclass
class StoredVersion:
    version: int

    def is_visible(self, version: int) -> bool:
        return version == self.version


def grounded_event(**more: object) -> ChatGrounded:
    question = Question(
        conversation_id="conv",
        message_id="m1",
        reply_id="r1",
        user_id="u",
        content="灯塔多高？",
        knowledge_base_ids=("kb",),
        reply_partition=3,
        asked_at=NOW,
    )
    data: dict[str, Any] = {"question": question, "query": "灯塔多高？", "keywords": ("灯塔",), "passages": (PASSAGE,), **more}
    return ChatGrounded(**header("g1", "conv"), data=Grounding(**data))


@dataclass
class EmptyLog:
    """A log that has nothing of any reply."""

    reads: int = 0

    async def read(self, tenant, question, before):
        self.reads += 1
        return ReplyState(-1, has_ended=False)

    async def find_message(self, tenant, question, partition, attempt):
        return None


def generating_agent(model: Any, redis: Any, reply_log: Any = None) -> Generate:
    settings, reply_log = ModelSettings(delta_window_ms=0), EmptyLog() if reply_log is None else reply_log
    return Generate(model, Live(settings), views=redis, reply_locks=redis, watch=redis, visibility=redis, reply_log=reply_log)
