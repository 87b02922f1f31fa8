"""A question on its way: the turn is taken, the user's message and the question go onto the log, and the answer has a place to be read.

The order is that of docs/design.md "A reply". With Redis down a conversation that runs here goes on with what this process has seen of it.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from api.chats.branches import Branches, Spot, Wish
from api.chats.estimates import Queue
from api.chats.replies import Reply, followed
from api.chats.running import STALE_S
from api.conversations.titles import name
from api.http.access import conversation, searched
from api.http.request import ApiRequest
from api.http.responses import refused_field
from api.limits.quotas import within_quota
from api.ports import Ports
from domain.chats.history import Budget, Thread
from domain.chats.reply_lock import Location
from domain.chats.titles import untitled
from schemas.chats import ChatAsked, Message, MessageChanged, Question, Turn
from schemas.errors import Refused, Unavailable
from schemas.records import Conversation
from streams.runtime.agent import Outgoing, Place
from streams.topics import CHATS_ASKED, MESSAGES_CHANGED

TURN_MARGIN_S = 120.0  # beyond the longest answer: waiting behind others, and a takeover by another worker


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that the log has. ``written`` and its ``place``: its message, unless the log had that before (an answer made again).
    ``queue`` is what waits before it, when that is known.
    """

    message: Message
    reply: Reply
    written: MessageChanged | None
    place: Place | None
    queue: Queue | None = None


def check_question(ports: Ports, field: str, content: str) -> None:
    """Refused("validation_failed") for one that is too long or says nothing."""
    chars_max = ports.settings.limits.message_chars_max
    if len(content) > chars_max:
        raise refused_field(field, f"has {len(content)} characters", f"{chars_max} characters")
    if not content.strip():
        raise refused_field(field, "has nothing but white space", "some text")


async def ask(request: ApiRequest, conversation_id: str, wish: Wish) -> Asked:
    """Put a question on the log. Refused("conversation_busy") while another reply is open, Refused("quota_exceeded"), Refused for a wish
    that names what is not in the conversation; Unavailable when the log does not take it, or when too many questions wait already
    ("overloaded": nothing was written).
    """
    ports, caller, began_s = request.ports, request.user, request.ports.clock.monotonic_s()
    queue = await ports.estimates.of_new_question()
    message_id = await request.new_id("message", caller.tenant, caller.account_id)
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    begin = ports.relay.location()  # before the question: nothing of its answer can lie earlier
    found, _ = await asyncio.gather(conversation(ports, caller, conversation_id, lately=True), within_quota(ports, caller))
    on_the_log = reserved = False
    try:
        alone, bases, spot = await _together(
            _take_turn(request, found.id, reply_id),
            searched(ports, caller, found.knowledge_base_ids),
            _spot(request, found.id, wish, message_id),
        )
        asked = spot.again.content if spot.again else wish.content
        told = (asked, found.system_prompt, spot.thread.summary, *(turn.content for turn in spot.thread.turns))
        reserved = await ports.limiting.reserve(caller, reply_id, told)
        if spot.again is not None:
            message, written = spot.again, None
        else:
            written = await _message(request, found, message_id, wish.content, spot.thread)
            message = written.data
        location = Location(found.id, begin.partition, begin.offset, message.id)
        question = await _question(request, found, message, reply_id, location, bases, spot, reserved=reserved)
        place, _ = await asyncio.gather(_publish(request, written, question), _remember(request, reply_id, location))
        on_the_log = True
    finally:
        if not on_the_log:
            await _give_turn_back(request, found.id, reply_id)
            if reserved:
                await ports.limiting.give_back(caller, reply_id)
    reply = Reply(reply_id, found.id, message.id, location, began_s, queue.position if queue is not None else 0)
    said = spot.thread.said(message.id, Turn("user", message.content), Budget.of(ports.settings.limits))
    ports.running.histories.put((caller.tenant, found.id), said)
    if alone:
        ports.running.beside(followed(ports, caller, reply))
    if written is not None and untitled(found) and not message.parent_id:
        ports.running.beside(name(request, found.id, message.content))
    return Asked(message, reply, written, place, queue)


async def _together(turn: Awaitable[bool], bases: Awaitable[tuple[str, ...]], spot: Awaitable[Spot]) -> tuple[bool, tuple[str, ...], Spot]:
    """All three, or the error of the first that failed once every one has ended: nothing may still take the turn when it is given back."""
    results = await asyncio.gather(turn, bases, spot, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def _take_turn(request: ApiRequest, conversation_id: str, reply_id: str) -> bool:
    """Take the conversation's turn; True when that was done here alone, because Redis could not be asked."""
    ports, tenant = request.ports, request.user.tenant
    life_s = ports.settings.model.total_timeout_s + TURN_MARGIN_S
    alone = False
    holder = ports.running.holder((tenant, conversation_id), life_s) or reply_id
    if holder == reply_id:
        try:
            holder = await ports.turns.open(tenant, conversation_id, reply_id, life_s)
            if holder != reply_id and await _has_ended(request, conversation_id, holder):
                await ports.turns.close(tenant, conversation_id, holder)
                holder = await ports.turns.open(tenant, conversation_id, reply_id, life_s)
        except Unavailable:
            holder, alone = ports.running.take((tenant, conversation_id), reply_id, life_s), True
            ports.metrics.fallbacks.labels("turns").inc()
    if holder != reply_id:
        raise Refused("conversation_busy", reply_id=holder)
    return alone


async def _has_ended(request: ApiRequest, conversation_id: str, reply_id: str) -> bool:
    """Whether this reply only still has the turn because nobody could give it back: its message is there, which comes first."""
    return await request.ports.views.messages.get(f"{request.user.tenant}/{conversation_id}", reply_id) is not None


async def _give_turn_back(request: ApiRequest, conversation_id: str, reply_id: str) -> None:
    ports, tenant = request.ports, request.user.tenant
    ports.running.close((tenant, conversation_id), reply_id)
    try:
        await ports.turns.close(tenant, conversation_id, reply_id)
    except Unavailable:
        return  # it ends by its age


async def _spot(request: ApiRequest, conversation_id: str, wish: Wish, message_id: str) -> Spot:
    """Where the question stands; with Redis down one that just goes on does so with what was said here."""
    ports, tenant = request.ports, request.user.tenant
    try:
        return await Branches(ports, f"{tenant}/{conversation_id}").spot(wish, message_id)
    except Unavailable:
        if wish.parent_id is not None or wish.edits or wish.repeats:
            raise
        return Spot(ports.running.histories.get((tenant, conversation_id), STALE_S) or Thread())


async def _message(request: ApiRequest, found: Conversation, message_id: str, content: str, above: Thread) -> MessageChanged:
    data = Message(
        id=message_id,
        conversation_id=found.id,
        user_id=request.user.account_id,
        role="user",
        content=content,
        created_at=request.ports.clock.now(),
        parent_id=above.parent_id,
        ancestors=above.ancestors,
    )
    return await request.event(MessageChanged, message_id, data)


async def _question(
    request: ApiRequest,
    found: Conversation,
    message: Message,
    reply_id: str,
    location: Location,
    bases: tuple[str, ...],
    spot: Spot,
    *,
    reserved: bool,
) -> ChatAsked:
    data = Question(
        conversation_id=found.id,
        message_id=message.id,
        reply_id=reply_id,
        user_id=message.user_id,
        content=message.content,
        knowledge_base_ids=bases,
        system_prompt=found.system_prompt,
        history=spot.thread.turns,
        summary=spot.thread.summary,
        ancestors=spot.thread.ancestors,
        reply_partition=location.partition,
        asked_at=request.ports.clock.now() if spot.again else message.created_at,
        cache=spot.again is None,  # who asks for another answer does not want the same again
        tone=found.type,
        api_key_id=request.user.key_id,
        reserved=reserved,
    )
    return await request.event(ChatAsked, found.id, data)


async def _publish(request: ApiRequest, written: MessageChanged | None, question: ChatAsked) -> Place | None:
    """The message if it is new, then the question, in one round trip; the message's place."""
    publisher, outgoing = request.ports.publisher, [Outgoing(CHATS_ASKED, question)]
    if written is None:
        await publisher.publish_all(outgoing)
        return None
    partition = publisher.partition_for(MESSAGES_CHANGED, written.data.conversation_id)
    places = await publisher.publish_all([Outgoing(MESSAGES_CHANGED, written, partition=partition), *outgoing])
    return places[0]


async def _remember(request: ApiRequest, reply_id: str, location: Location) -> None:
    """Let any replica find the answer; with Redis down only this one can."""
    ports, tenant = request.ports, request.user.tenant
    ports.running.locations.put((tenant, reply_id), location)
    try:
        await ports.turns.remember(tenant, reply_id, location)
    except Unavailable:
        ports.metrics.fallbacks.labels("locations").inc()
