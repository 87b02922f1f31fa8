"""Asking a question: take the reply lock, publish the user's message and the question, and remember where the answer will be.

The order is that of docs/design/questions.md. While Redis is down a running conversation goes on with what this process has seen of it.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from api.chats.branches import AskCommand, Branches, BranchPoint
from api.chats.estimates import QueueEstimate
from api.chats.models import choose_model
from api.chats.modes import choose_mode
from api.chats.ports import ChatPorts
from api.chats.replies import ANSWER_MARGIN_S, Reply, follow_reply
from api.chats.running import STALE_S
from api.conversations.titles import title_conversation
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from domain.chats.history import BranchHistory, HistoryBudget
from domain.chats.reply_lock import ReplyLocation
from domain.chats.titles import is_untitled
from domain.chats.topics import CHATS_ASKED, MESSAGES_CHANGED
from schemas.chats import ChatAsked, Message, MessageChanged, Question, Turn
from schemas.errors import Refused, Unavailable
from schemas.records import AnswerMode, Conversation
from streams.log.outgoing import LogOffset, Outgoing

PROJECTED_S_MAX, PROJECTED_POLL_S = 3.0, 0.1  # how long the next question waits for the message of a reply whose end was relayed
RELEASE_S = 1.0  # between two tries to release a lock while Redis is away

LockOrigin = Literal["free", "local", "taken over"]


@dataclass(frozen=True, slots=True)
class PublishedQuestion:
    """A question on the log. ``written`` and its ``place``: the event of its message, None when an answer is regenerated. ``queue``: the
    questions before it, when they are known.
    """

    message: Message
    reply: Reply
    written: MessageChanged | None
    place: LogOffset | None
    queue: QueueEstimate | None = None


def reply_lock_s(ports: ChatPorts) -> float:
    """How long a reply holds the lock of its conversation, in seconds, when nothing releases it."""
    return ports.core.settings.model.total_timeout_s + ANSWER_MARGIN_S


def check_question(ports: ChatPorts, field: str, content: str) -> None:
    """Refused("validation_failed") for a question that is too long or blank."""
    chars_max = ports.core.settings.limits.message_chars_max
    if len(content) > chars_max:
        raise invalid_field(field, f"has {len(content)} characters", f"{chars_max} characters")
    if not content.strip():
        raise invalid_field(field, "has only white space", "some text")


async def ask(request: ApiRequest, conversation_id: str, command: AskCommand) -> PublishedQuestion:
    """Put a question on the log. Refused("conversation_busy") while another reply is open, Refused("quota_exceeded"), Refused for a command
    that names an unknown model or a message outside the conversation, Refused("forbidden") for a mode that the API key excludes;
    Unavailable when Kafka does not acknowledge it, or when too many questions are waiting ("overloaded": nothing was written).
    """
    ports, caller, began_s = request.ports(ChatPorts), request.user, request.core.clock.monotonic_s()
    queue = await ports.estimates.new_question_queue(caller.tenant)
    message_id = await request.new_id("message", caller.tenant, caller.account_id)
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    begin = ports.relay.location()  # before the question: no event of its answer can be earlier
    found, _ = await asyncio.gather(ports.http.access.find_conversation(caller, conversation_id, lately=True), ports.quotas.check(caller))
    mode, model = choose_mode(caller, command.mode, found.mode), choose_model(ports.core.live.settings, command.model) or found.model
    is_published = reserved = False
    try:
        lock, bases, point = await _gather_settled(
            _acquire_reply_lock(request, found.id, reply_id),
            ports.http.access.resolve_knowledge_bases(caller, found.knowledge_base_ids),
            _find_branch_point(request, found.id, command, message_id),
        )
        if lock == "taken over":  # the message of the reply before may have come only now
            point = await _find_branch_point(request, found.id, command, message_id)
        content = point.again.content if point.again else command.content
        prompt_texts = (content, found.system_prompt, point.thread.summary, *(turn.content for turn in point.thread.turns))
        reserved = await ports.http.limiting.reserve(caller, reply_id, prompt_texts, model=model)
        if point.again is not None:
            message, written = point.again, None
        else:
            written = await _message(request, found, message_id, command.content, point.thread)
            message = written.data
        location = ReplyLocation(found.id, begin.partition, begin.offset, message.id)
        is_repeatable = request.idempotency_key is not None
        if is_repeatable:  # another replica may have asked it, too: all of the reply goes to one partition
            location = await ports.locations.save(caller.tenant, reply_id, location)
        question = await _question(request, found, message, reply_id, location, bases, point, command, mode, model, reserved=reserved)
        if is_repeatable:
            place = await _publish(request, written, question)
        else:
            place, _ = await asyncio.gather(_publish(request, written, question), ports.locations.save(caller.tenant, reply_id, location))
        is_published = True
    finally:
        if not is_published:
            await _release_reply_lock(request, found.id, reply_id)
            if reserved:
                await ports.http.limiting.release(caller, reply_id)
    reply = Reply(reply_id, found.id, message.id, location, began_s, queue.position if queue is not None else 0)
    history = point.thread.with_turn(message.id, Turn("user", message.content), HistoryBudget.from_limits(ports.core.settings.limits))
    ports.running.histories.put((caller.tenant, found.id), history)
    if lock == "local":
        ports.core.background.run(follow_reply(ports, caller, reply))
    if written is not None and is_untitled(found) and not message.parent_id:
        ports.core.background.run(title_conversation(request, found.id, message.content))
    return PublishedQuestion(message, reply, written, place, queue)


async def _gather_settled(
    lock: Awaitable[LockOrigin], bases: Awaitable[tuple[str, ...]], point: Awaitable[BranchPoint]
) -> tuple[LockOrigin, tuple[str, ...], BranchPoint]:
    """All three, or the first error once all have ended: none may still take the reply lock when it is released."""
    results = await asyncio.gather(lock, bases, point, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def _acquire_reply_lock(request: ApiRequest, conversation_id: str, reply_id: str) -> LockOrigin:
    """Take the conversation's reply lock: ``local`` to this process when Redis is down, ``taken over`` from a reply that has ended."""
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    life_s = reply_lock_s(ports)
    origin: LockOrigin = "free"
    holder = ports.running.holder((tenant, conversation_id), life_s) or reply_id
    if holder == reply_id:
        try:
            holder = await ports.reply_locks.acquire(tenant, conversation_id, reply_id, life_s)
            if holder != reply_id and await _has_ended(request, conversation_id, holder):
                await ports.reply_locks.release(tenant, conversation_id, holder)
                holder, origin = await ports.reply_locks.acquire(tenant, conversation_id, reply_id, life_s), "taken over"
        except Unavailable:
            holder, origin = ports.running.acquire((tenant, conversation_id), reply_id, life_s), "local"
            ports.core.metrics.fallbacks.labels("turns").inc()
    if holder != reply_id:
        raise Refused("conversation_busy", reply_id=holder)
    return origin


async def _has_ended(request: ApiRequest, conversation_id: str, reply_id: str) -> bool:
    """Whether the reply has ended, or never began, and its lock was not released. Its message can be read then.

    The end of a reply while Redis is away is relayed before Redis has its message: the projector brings it as soon as Redis is back.
    """
    ports, clock = request.ports(ChatPorts), request.core.clock
    if ports.running.was_never_asked(reply_id):
        return True
    until_s = clock.monotonic_s() + PROJECTED_S_MAX
    while await request.core.read_models.messages.get(f"{request.user.tenant}/{conversation_id}", reply_id) is None:
        if not ports.running.has_ended(reply_id) or clock.monotonic_s() >= until_s:
            return False
        await asyncio.sleep(PROJECTED_POLL_S)
    return True


async def _release_reply_lock(request: ApiRequest, conversation_id: str, reply_id: str) -> None:
    """Release the lock of a question that did not reach the log."""
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    ports.running.close((tenant, conversation_id), reply_id)
    try:
        await ports.reply_locks.release(tenant, conversation_id, reply_id)
    except Unavailable:
        if request.idempotency_key is None:  # with one the same request may come again, to any replica, and has the lock then
            ports.running.mark_never_asked(reply_id)
            ports.core.background.run(_release_later(ports, tenant, conversation_id, reply_id))


async def _release_later(ports: ChatPorts, tenant: str, conversation_id: str, reply_id: str) -> None:
    """Release the lock once Redis is back, for the other replicas; until then it would count as an open reply for minutes."""
    until_s = ports.core.clock.monotonic_s() + reply_lock_s(ports)
    while ports.core.clock.monotonic_s() < until_s:  # then it has expired
        await asyncio.sleep(RELEASE_S)
        with suppress(Unavailable):
            await ports.reply_locks.release(tenant, conversation_id, reply_id)
            return


async def _find_branch_point(request: ApiRequest, conversation_id: str, command: AskCommand, message_id: str) -> BranchPoint:
    """The branch point of the question; while Redis is down a continuation uses the history known here."""
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    try:
        return await Branches(ports, f"{tenant}/{conversation_id}").find_point(command, message_id)
    except Unavailable:
        if command.parent_id is not None or command.edits or command.repeats:
            raise
        return BranchPoint(ports.running.histories.get((tenant, conversation_id), STALE_S) or BranchHistory())


async def _message(request: ApiRequest, found: Conversation, message_id: str, content: str, above: BranchHistory) -> MessageChanged:
    data = Message(
        id=message_id,
        conversation_id=found.id,
        user_id=request.user.account_id,
        role="user",
        content=content,
        created_at=request.core.clock.now(),
        parent_id=above.parent_id,
        ancestors=above.ancestors,
    )
    return await request.event(MessageChanged, message_id, data)


async def _question(
    request: ApiRequest,
    found: Conversation,
    message: Message,
    reply_id: str,
    location: ReplyLocation,
    bases: tuple[str, ...],
    point: BranchPoint,
    command: AskCommand,
    mode: AnswerMode,
    model: str,
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
        history=point.thread.turns,
        summary=point.thread.summary,
        ancestors=point.thread.ancestors,
        reply_partition=location.partition,
        asked_at=request.core.clock.now() if point.again else message.created_at,
        cache=point.again is None,  # a regenerated answer must not be the cached one
        tone=found.type,
        mode=mode,
        api_key_id=request.user.key_id,
        reserved=reserved,
        sampling=command.sampling,
        shows_thinking=command.with_thinking,
        retry_of=command.repeats,
        model=model,
    )
    return await request.event(ChatAsked, found.id, data)


async def _publish(request: ApiRequest, written: MessageChanged | None, question: ChatAsked) -> LogOffset | None:
    """The message if it is new, then the question, in one round trip; returns the message's place."""
    publisher, outgoing = request.core.publisher, [Outgoing(CHATS_ASKED, question)]
    if written is None:
        await publisher.publish_all(outgoing)
        return None
    partition = publisher.partition_for(MESSAGES_CHANGED, written.data.conversation_id)
    places = await publisher.publish_all([Outgoing(MESSAGES_CHANGED, written, partition=partition), *outgoing])
    return places[0]
