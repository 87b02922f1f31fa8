"""The area of conversations and replies."""

from dataclasses import replace

from domain.area import Area
from domain.chats.erasure import publish_tombstones
from domain.chats.records import CONVERSATIONS, FEEDBACK, MESSAGES, TENANT_CONVERSATIONS
from domain.chats.topics import (
    CHATS_ANSWERED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CONVERSATIONS_CHANGED,
    DIGESTS_ASKED,
    FEEDBACK_GIVEN,
    MESSAGES_CHANGED,
)
from schemas.chats import MessageChanged
from streams.log.publisher import KafkaPublisher
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_messages(ports: RebuildPorts) -> RebuildResult:
    """Also publishes tombstones that the projector could not: those of deleted conversations whose message ids were lost with Redis."""
    late: dict[str, str] = {}  # message to conversation

    async def fold(events: Events) -> None:
        refused = await ports.tables.apply_many(events)
        late.update({event.data.id: event.data.conversation_id for event in refused if isinstance(event, MessageChanged)})

    done = await replay(ports.reader, MESSAGES_CHANGED, fold, gone=lambda message_id: late.pop(message_id, None))
    if late:
        publisher = KafkaPublisher(ports.settings.kafka, (MESSAGES_CHANGED,))
        await publisher.start()
        try:
            for message_id, conversation_id in late.items():
                await publish_tombstones(publisher, conversation_id, [message_id])
        finally:
            await publisher.stop()
    return replace(done, erased=len(late))


AREA = Area(
    name="chats",
    topics=(CHATS_ASKED, CHATS_GROUNDED, CHATS_ANSWERED, MESSAGES_CHANGED, DIGESTS_ASKED, CONVERSATIONS_CHANGED, FEEDBACK_GIVEN),
    records=(CONVERSATIONS, TENANT_CONVERSATIONS, MESSAGES, FEEDBACK),
    rebuilds={"messages": _rebuild_messages},
)
