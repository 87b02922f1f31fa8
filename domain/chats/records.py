"""The record tables of conversations: conversations, their messages, feedback on answers.

A question moves its conversation to the top of its owner's list; a deleted conversation closes the scopes of its messages and feedback.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from domain.chats.topics import CONVERSATIONS_CHANGED, FEEDBACK_GIVEN, MESSAGES_CHANGED
from schemas.chats import Feedback, FeedbackGiven, Message, MessageChanged
from schemas.records import Conversation, ConversationChanged, RecordOwner
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, rank_of
from streams.tables.record_table import Put, RecordTable, order_of

BRIEF_MESSAGE_S = 86_400  # answers without a conversation: long enough to read one again, to explain it, and to recognise a repeat
FEEDBACK_S = 90 * 86_400  # retention of its topic: a rebuild gives the same
ROOT = "-"  # the group of the questions that begin a conversation


def _message_scope(event: MessageChanged) -> str:
    return f"{event.tenant}/{event.data.conversation_id}"


def _message_group(event: MessageChanged) -> str:
    return event.data.parent_id or ROOT


def _message_order(event: MessageChanged, offset: LogOffset) -> str:
    return order_of(event.data.attempt, offset.offset)


async def _raise_conversations(tables: Tables, events: Sequence[MessageChanged]) -> None:
    asked = [(event.tenant, event.data) for event in events if event.data.role == "user"]
    if asked:
        ranks = [(f"{tenant}/{message.user_id}", message.conversation_id, rank_of(message.created_at)) for tenant, message in asked]
        await tables.of(CONVERSATIONS).raise_ranks(ranks)


async def _close_deleted(tables: Tables, events: Sequence[ConversationChanged]) -> None:
    for event in events:
        if event.data.deleted:
            scope = f"{event.data.tenant}/{event.data.id}"
            await tables.of(MESSAGES).close(scope)
            await tables.of(FEEDBACK).close(scope)


def _with_activity(conversation: Conversation, rank: float) -> Conversation:
    """The conversation with the time of its last change or question as ``updated_at``."""
    seconds, micros = divmod(int(rank), 1_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    return msgspec.structs.replace(conversation, updated_at=at) if at > conversation.updated_at else conversation


CONVERSATIONS = Record(
    table="conversations",
    topic=CONVERSATIONS_CHANGED,
    event=ConversationChanged,
    type=Conversation,
    scope=lambda event: f"{event.data.tenant}/{event.data.user_id}",
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.updated_at),
    lifted=_with_activity,
    then=_close_deleted,
)
TENANT_CONVERSATIONS = Record(  # counted only
    table="tenant_conversations",
    topic=CONVERSATIONS_CHANGED,
    event=ConversationChanged,
    type=RecordOwner,
    scope=lambda event: event.data.tenant,
    value=lambda event: RecordOwner(event.data.user_id),
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
MESSAGES = Record(
    table="messages",
    topic=MESSAGES_CHANGED,
    event=MessageChanged,
    type=Message,
    scope=_message_scope,
    order=_message_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    group=_message_group,
    then=_raise_conversations,
)
FEEDBACK = Record(
    table="feedback",
    topic=FEEDBACK_GIVEN,
    event=FeedbackGiven,
    type=Feedback,
    scope=lambda event: f"{event.tenant}/{event.data.conversation_id}",
    id=lambda event: event.data.reply_id,
    retention_s=FEEDBACK_S,
)


async def put_brief_message(brief_messages: RecordTable[Message], tenant: str, message: Message, offset: LogOffset) -> None:
    """Store an answer without a conversation for a day; ``offset`` is that of its question. The log has no record of it."""
    order = order_of(message.attempt, offset.offset)
    put = Put(f"{tenant}/{message.conversation_id}", message.id, message, order, rank_of(message.created_at))
    await brief_messages.put_many([put])
