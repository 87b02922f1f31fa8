"""Erasure of deleted conversations from the log: a tombstone for every message, so that compaction removes the text from disk.

The tables remove their records at once and store only the ids until the tombstones are published, so a dead worker's work is continued.
"""

from collections.abc import Sequence

from domain.chats.topics import MESSAGES_CHANGED
from schemas.chats import Message
from streams.log.outgoing import Publisher
from streams.tables.record_table import RecordTable


async def erase(publisher: Publisher, messages: RecordTable[Message], tenant: str, conversation_id: str) -> int:
    """Publish tombstones for the messages of the closed conversation, 500 at a time; returns their number. Raises Unavailable."""
    scope, erased = f"{tenant}/{conversation_id}", 0
    while ids := await messages.remaining_ids(scope):
        await publish_tombstones(publisher, conversation_id, ids)
        await messages.clear_remaining(scope, ids)
        erased += len(ids)
    return erased


async def publish_tombstones(publisher: Publisher, conversation_id: str, message_ids: Sequence[str]) -> None:
    """Publish tombstones for these messages and wait for acknowledgement. Raises Unavailable("kafka_unavailable")."""
    partition = publisher.partition_for(MESSAGES_CHANGED, conversation_id)
    for acknowledgement in [await publisher.publish_tombstone(MESSAGES_CHANGED, each, partition) for each in message_ids]:
        await acknowledgement
