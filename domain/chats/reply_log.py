"""What the log has of a reply: whether it has ended before an offset of its partition, and the message that was stored for it.

It is read when a worker takes a reply over and nobody else can tell it: the worker before died, or Redis has no memory of it. A reply's
events lie in the partition of the asking replica, its message in that of the conversation, both from the time of the question on.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from domain.chats.reply_fold import ReplyFold
from domain.chats.topics import CHATS_ANSWERED, MESSAGES_CHANGED
from schemas.chats import Answered, MessageChanged, Question
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.outgoing import LogOffset
from streams.log.reader import LogReader, open_log_reader
from streams.topics import Topic

READERS_MAX = 8  # at once in one process: each has a consumer of its own
READ_S_MAX = 20.0  # for one reply, waiting for others included
RECORDS_MAX = 500_000  # of the partition: about ten minutes of a busy replica; a reply that is older counts as not ended

T = TypeVar("T")
log = structlog.get_logger(__name__)


class ReplyState(NamedTuple):
    """What a reader of the reply knows at some offset: the attempt that speaks, -1 when none has begun, and whether it has ended."""

    attempt: int
    has_ended: bool


class ReplyLog(Protocol):
    """Reads what the log has of a reply. Raises Unavailable("kafka_unavailable")."""

    async def read(self, tenant: str, question: Question, before: LogOffset) -> ReplyState:
        """The state of the reply after its events before this offset of its partition."""
        ...

    async def find_message(self, tenant: str, question: Question, partition: int, attempt: int) -> tuple[MessageChanged, LogOffset] | None:
        """The event of the answer's message of this attempt, in this partition of the topic of messages, and its offset."""
        ...


class KafkaReplyLog:
    """Implements ``ReplyLog``, a few reads at once."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._room = asyncio.Semaphore(READERS_MAX)

    async def read(self, tenant: str, question: Question, before: LogOffset) -> ReplyState:
        """See ``ReplyLog``."""
        fold = ReplyFold()
        async with self._reader() as reader, aclosing(_values(reader, CHATS_ANSWERED, before.partition, question, before.offset)) as values:
            async for value, _ in values:
                event = _decode(_ANSWERED, value)
                if event is not None and event.tenant == tenant:
                    fold.apply(event)
        return ReplyState(fold.attempt, fold.end is not None)

    async def find_message(self, tenant: str, question: Question, partition: int, attempt: int) -> tuple[MessageChanged, LogOffset] | None:
        """See ``ReplyLog``."""
        found: tuple[MessageChanged, LogOffset] | None = None
        async with self._reader() as reader, aclosing(_values(reader, MESSAGES_CHANGED, partition, question, None)) as values:
            async for value, place in values:
                event = _decode(_CHANGED, value)
                if event is not None and event.tenant == tenant and event.data.attempt == attempt:
                    found = event, place
        return found

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[LogReader]:
        try:
            async with asyncio.timeout(READ_S_MAX), self._room, open_log_reader(self._kafka) as reader:
                yield reader
        except TimeoutError:
            raise Unavailable("kafka_unavailable", f"the log did not return a reply's events within {READ_S_MAX:g} s") from None


async def _values(
    reader: LogReader, topic: Topic, partition: int, question: Question, stop: int | None
) -> AsyncGenerator[tuple[bytes, LogOffset], None]:
    """The values under the reply's key since the question was asked, up to, not including, the offset ``stop``."""
    place = reader.topic_partition(topic, partition)
    start = await reader.offset_since(place, int(question.asked_at.timestamp() * 1000))
    if start is None:
        return
    _, end = (await reader.bounds([place]))[place]
    end = end if stop is None else min(end, stop)
    if end - start > RECORDS_MAX:
        log.warning("reply_log_cut", reply_id=question.reply_id, topic=topic.name, records=end - start)
        start = end - RECORDS_MAX
    key = question.reply_id.encode()
    async with aclosing(reader.batches(place, start, end)) as batches:
        async for batch in batches:
            for record in batch:
                if record.key == key and record.value is not None:
                    yield record.value, LogOffset(place.topic, partition, record.offset)


def _decode(decoder: msgspec.json.Decoder[T], value: bytes) -> T | None:
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_ANSWERED: msgspec.json.Decoder[Answered] = msgspec.json.Decoder(Answered)
_CHANGED: msgspec.json.Decoder[MessageChanged] = msgspec.json.Decoder(MessageChanged)
