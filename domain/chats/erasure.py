"""What a deleted conversation leaves on the log: a tombstone for every message, so that compaction takes the text off the disk.

The tables give their records up at once and keep only the ids until this is done, so it goes on where a dead worker stopped.
"""

from collections.abc import Sequence

from domain.chats.topics import MESSAGES_CHANGED
from schemas.chats import Message
from streams.log.outgoing import Publisher
from streams.tables.record_table import RecordTable


async def erase(publisher: Publisher, messages: RecordTable[Message], tenant: str, conversation_id: str) -> int:
    """Tombstones for all that the closed conversation left, 500 at a time; how many. Raises Unavailable."""
    scope, erased = f"{tenant}/{conversation_id}", 0
    while ids := await messages.remaining_ids(scope):
        await publish_tombstones(publisher, conversation_id, ids)
        await messages.clear_remaining(scope, ids)
        erased += len(ids)
    return erased


async def publish_tombstones(publisher: Publisher, conversation_id: str, message_ids: Sequence[str]) -> None:
    """Tombstones for these messages, acknowledged. Raises Unavailable("kafka_unavailable")."""
    partition = publisher.partition_for(MESSAGES_CHANGED, conversation_id)
    for acknowledgement in [await publisher.publish_tombstone(MESSAGES_CHANGED, each, partition) for each in message_ids]:
        await acknowledgement
