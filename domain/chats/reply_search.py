"""Finding a reply on the log when Redis does not know where it lies: it was asked while Redis was away, or Redis has lost its data.

The question is on ``claw.chats.asked.v1`` in the partition of its conversation, and names the partition of the reply; its time says where
in there to begin.
"""

import asyncio
from datetime import datetime, timedelta

import msgspec

from adapters.kafka import StoredRecord
from domain.chats.reply_lock import ReplyLocation
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED
from schemas.chats import ChatAsked
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.reader import LogReader, open_log_reader

SEARCHES_MAX = 2  # at once in one process: each has a consumer of its own
SEARCH_S_MAX = 5.0  # waiting for others included
SINCE_S = 3_600.0  # how old the question may be; an older reply has a message
RECORDS_MAX = 5_000  # the newest questions of the partition, about 20 MB

_decode = msgspec.json.Decoder(ChatAsked).decode


class ReplySearch:
    """Searches the log, a few at once."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._room = asyncio.Semaphore(SEARCHES_MAX)

    async def find(self, tenant: str, conversation_id: str, reply_id: str, partition: int, now: datetime) -> ReplyLocation | None:
        """The location of a reply that was asked for within the hour; ``partition`` is that of the conversation's questions. None when
        there was no such question. Raises Unavailable.
        """
        try:
            async with asyncio.timeout(SEARCH_S_MAX), self._room, open_log_reader(self._kafka) as reader:
                asked = await _find_question(reader, partition, int((now - timedelta(seconds=SINCE_S)).timestamp() * 1000), reply_id)
                if asked is None or (asked[0].tenant, asked[0].data.conversation_id) != (tenant, conversation_id):
                    return None
                return await _locate(reader, *asked)
        except TimeoutError:
            raise Unavailable("overloaded", f"the log was not searched within {SEARCH_S_MAX:g} s") from None


async def _find_question(reader: LogReader, partition: int, since_ms: int, reply_id: str) -> tuple[ChatAsked, StoredRecord] | None:
    place = reader.topic_partition(CHATS_ASKED, partition)
    first, end = (await reader.bounds([place]))[place]
    since = (await reader.offsets_for_time([place], since_ms))[place]
    if since is None:
        return None
    async for batch in reader.batches(place, max(first, since, end - RECORDS_MAX), end):
        for record in batch:
            if reply_id.encode() in (record.value or b"") and (event := _question(record)) is not None and event.data.reply_id == reply_id:
                return event, record
    return None


def _question(record: StoredRecord) -> ChatAsked | None:
    try:
        return _decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def _locate(reader: LogReader, event: ChatAsked, record: StoredRecord) -> ReplyLocation:
    question = event.data
    place = reader.topic_partition(CHATS_ANSWERED, question.reply_partition)
    offset = await reader.offset_since(place, record.timestamp)
    if offset is None:  # nothing was said since
        offset = (await reader.bounds([place]))[place][1]
    return ReplyLocation(question.conversation_id, question.reply_partition, offset, question.message_id)
