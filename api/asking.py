"""A question on its way: the turn is taken, the user's message and the question go onto the log, and the answer has a place to be read.

The order is that of docs/design.md "A reply". With Redis down a conversation that runs here goes on with what this process has seen of it.
"""

import asyncio
from dataclasses import dataclass

from api.access import conversation, searched
from api.quotas import within_quota
from api.replies import Reply, followed
from api.requests import ApiRequest
from api.running import STALE_S, bounded
from schemas.chats import ChatAsked, Message, MessageChanged, Question, Turn
from schemas.errors import Refused, Unavailable
from schemas.records import Conversation
from streams.agent import Outgoing, Place
from streams.topics import CHATS_ASKED, MESSAGES_CHANGED
from streams.turns import Location

TURN_MARGIN_S = 120.0  # beyond the longest answer: waiting behind others, and a takeover by another worker


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that the log has; ``place`` of its message."""

    message: Message
    reply: Reply
    written: MessageChanged
    place: Place


async def ask(request: ApiRequest, conversation_id: str, content: str) -> Asked:
    """Put a question on the log. Refused("conversation_busy") while another reply is open, Refused("quota_exceeded"); Unavailable when the
    log does not take it.
    """
    ports, caller, began_s = request.ports, request.user, request.ports.clock.monotonic_s()
    message_id = await request.new_id("message", caller.tenant, caller.account_id)
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    begin = ports.relay.location()  # before the question: nothing of its answer can lie earlier
    found, _ = await asyncio.gather(conversation(ports, caller, conversation_id, lately=True), within_quota(ports, caller))
    alone, bases, history = await asyncio.gather(
        _take_turn(request, found.id, reply_id),
        searched(ports, caller, found.knowledge_base_ids),
        _history(request, found.id, message_id),
    )
    on_the_log = False
    try:
        location = Location(found.id, begin.partition, begin.offset, message_id)
        written = await _message(request, found, message_id, content)
        question = await _question(request, found, written.data, reply_id, location, bases, history)
        place, _ = await asyncio.gather(_publish(request, written, question), _remember(request, reply_id, location))
        on_the_log = True
    finally:
        if not on_the_log:
            await _give_turn_back(request, found.id, reply_id)
    reply = Reply(reply_id, found.id, message_id, location, began_s)
    limits = ports.settings.limits
    ports.running.said((caller.tenant, found.id), Turn("user", content), limits.history_messages_max, limits.history_bytes_max)
    if alone:
        ports.running.beside(followed(ports, caller, reply))
    return Asked(written.data, reply, written, place)


async def _take_turn(request: ApiRequest, conversation_id: str, reply_id: str) -> bool:
    """Take the conversation's turn; True when that was done here alone, because Redis could not be asked."""
    ports, tenant = request.ports, request.user.tenant
    life_s = ports.settings.model.total_timeout_s + TURN_MARGIN_S
    alone = False
    holder = ports.running.holder((tenant, conversation_id), life_s) or reply_id
    if holder == reply_id:
        try:
            holder = await ports.turns.open(tenant, conversation_id, reply_id, life_s)
        except Unavailable:
            holder, alone = ports.running.take((tenant, conversation_id), reply_id, life_s), True
            ports.metrics.fallbacks.labels("turns").inc()
    if holder != reply_id:
        raise Refused("conversation_busy", reply_id=holder)
    return alone


async def _give_turn_back(request: ApiRequest, conversation_id: str, reply_id: str) -> None:
    ports, tenant = request.ports, request.user.tenant
    ports.running.close((tenant, conversation_id), reply_id)
    try:
        await ports.turns.close(tenant, conversation_id, reply_id)
    except Unavailable:
        return  # it ends by its age


async def _history(request: ApiRequest, conversation_id: str, message_id: str) -> tuple[Turn, ...]:
    """What was said before, bounded; with Redis down as far as it was said here."""
    ports, limits = request.ports, request.ports.settings.limits
    conversing = (request.user.tenant, conversation_id)
    if limits.history_messages_max == 0:
        return ()
    try:
        messages = await _messages(request, conversation_id, message_id)
        if messages and messages[0].role == "user":
            # read beside the taking of the turn: an answer that ended in between is there now, for the turn was free
            messages = await _messages(request, conversation_id, message_id)
    except Unavailable:
        return ports.running.histories.get(conversing, STALE_S) or ()
    turns = [Turn(message.role, message.content) for message in reversed(messages) if message.content and message.state != "failed"]
    history = bounded(turns, limits.history_messages_max, limits.history_bytes_max)
    ports.running.histories.put(conversing, history)
    return history


async def _messages(request: ApiRequest, conversation_id: str, message_id: str) -> list[Message]:
    """The newest messages, without this question itself (a repeat may find it)."""
    scope = f"{request.user.tenant}/{conversation_id}"
    page = await request.ports.views.messages.list(scope, limit=request.ports.settings.limits.history_messages_max)
    return [message for message in page.items if message_id not in {message.id, message.parent_id}]


async def _message(request: ApiRequest, found: Conversation, message_id: str, content: str) -> MessageChanged:
    data = Message(
        id=message_id,
        conversation_id=found.id,
        user_id=request.user.account_id,
        role="user",
        content=content,
        created_at=request.ports.clock.now(),
    )
    return await request.event(MessageChanged, message_id, data)


async def _question(
    request: ApiRequest,
    found: Conversation,
    message: Message,
    reply_id: str,
    location: Location,
    bases: tuple[str, ...],
    history: tuple[Turn, ...],
) -> ChatAsked:
    data = Question(
        conversation_id=found.id,
        message_id=message.id,
        reply_id=reply_id,
        user_id=message.user_id,
        content=message.content,
        knowledge_base_ids=bases,
        system_prompt=found.system_prompt,
        history=history,
        reply_partition=location.partition,
        asked_at=message.created_at,
        api_key_id=request.user.key_id,
    )
    return await request.event(ChatAsked, found.id, data)


async def _publish(request: ApiRequest, written: MessageChanged, question: ChatAsked) -> Place:
    """The message, then the question, in one round trip; the message's place."""
    publisher = request.ports.publisher
    partition = publisher.partition_for(MESSAGES_CHANGED, written.data.conversation_id)
    places = await publisher.publish_all([Outgoing(MESSAGES_CHANGED, written, partition=partition), Outgoing(CHATS_ASKED, question)])
    return places[0]


async def _remember(request: ApiRequest, reply_id: str, location: Location) -> None:
    """Let any replica find the answer; with Redis down only this one can."""
    ports, tenant = request.ports, request.user.tenant
    ports.running.locations.put((tenant, reply_id), location)
    try:
        await ports.turns.remember(tenant, reply_id, location)
    except Unavailable:
        ports.metrics.fallbacks.labels("locations").inc()
