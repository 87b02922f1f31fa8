"""Questions without a conversation: asked through a door, answered once, kept for a day.

No turn is taken and no message of the user's is written: the question alone goes onto the log, and the answer comes back through the same
relay as every other. The conversation id is derived from who asked and the reply's id, so whoever names a reply of their own finds it,
and nobody else does, without a record that says whose it is.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from api.chats.estimates import QueueEstimate
from api.chats.ports import ChatPorts
from api.chats.replies import ANSWER_MARGIN_S, Reply, observe_frame, read_frames
from api.http.identity import Caller
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent
from domain.chats.history import HistoryBudget, fit_turns
from domain.chats.records import BRIEF_MESSAGE_S
from domain.chats.relay import ReplyFrame
from domain.chats.reply_lock import ReplyLocation
from domain.chats.topics import CHATS_ASKED
from schemas import ids
from schemas.chats import ChatAsked, Door, Message, Question, Sampling, Turn
from schemas.errors import CATALOGUE, ClawError, Problem, Refused, Unavailable
from streams.log.outgoing import Outgoing

SERVER_ERROR = 500
LASTING = frozenset({"model_answer_empty"})  # a failure of the provider's that the same request would meet again, at the same price


class StandaloneQuestion(Struct, frozen=True, kw_only=True):
    """What is asked. ``knowledge_base_ids``: None is all that the caller sees, none of them is none."""

    door: Door
    content: str
    knowledge_base_ids: tuple[str, ...] | None = None
    system_prompt: str = ""
    history: tuple[Turn, ...] = ()
    sampling: Sampling = Sampling()


def conversation_of(caller: Caller, reply_id: str) -> str:
    """The conversation that a reply of the caller's stands in, alone."""
    return ids.derive("lone-conversation", caller.tenant, caller.account_id, reply_id)


async def ask_standalone(request: ApiRequest, asked: StandaloneQuestion) -> tuple[Reply, QueueEstimate | None]:
    """Put the question on the log, once per ``Idempotency-Key`` and body; what waits before it, when that is known.

    Raises Refused: "not_found" for a knowledge base that is not there, "idempotency_conflict", "rate_limited"; Unavailable when too much
    waits, or the log does not take it.
    """
    ports, caller, began_s = request.ports(ChatPorts), request.user, request.core.clock.monotonic_s()
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    conversation_id, message_id = conversation_of(caller, reply_id), ids.derive("lone-question", reply_id)
    if request.idempotency_key is not None and (known := await _find_earlier_location(request, reply_id)) is not None:
        return Reply(reply_id, conversation_id, message_id, known), None
    queue = await ports.estimates.new_question_queue()
    bases = await _resolve_bases(request, asked.knowledge_base_ids)
    await ports.quotas.check(caller)
    history = fit_turns(asked.history, HistoryBudget.from_limits(ports.core.settings.limits))
    told = (asked.content, asked.system_prompt, *(turn.content for turn in history))
    reserved = await ports.http.limiting.reserve(
        caller, reply_id, told, min(asked.sampling.max_tokens, ports.core.settings.model.max_tokens)
    )
    on_the_log = False
    try:
        begin = ports.relay.location()  # before the question: nothing of its answer can lie earlier
        question = Question(
            conversation_id=conversation_id,
            message_id=message_id,
            reply_id=reply_id,
            user_id=caller.account_id,
            content=asked.content,
            knowledge_base_ids=bases,
            system_prompt=asked.system_prompt,
            history=history,
            reply_partition=begin.partition,
            asked_at=ports.core.clock.now(),
            door=asked.door,
            sampling=asked.sampling,
            api_key_id=caller.key_id,
            reserved=reserved,
        )
        await ports.core.publisher.publish(Outgoing(CHATS_ASKED, await request.event(ChatAsked, conversation_id, question)))
        on_the_log = True
    finally:
        if reserved and not on_the_log:
            await ports.http.limiting.release(caller, reply_id)
    location = ReplyLocation(conversation_id, begin.partition, begin.offset, message_id)
    await ports.locations.save(caller.tenant, reply_id, location, BRIEF_MESSAGE_S)  # only now: a reply with a location has been asked for
    return Reply(reply_id, conversation_id, message_id, location, began_s), queue


async def find_reply(request: ApiRequest, reply_id: str) -> tuple[Reply, Message | None]:
    """A reply of the caller's, and its message once it has ended; Refused("not_found") otherwise, and after a day."""
    ports, caller = request.ports(ChatPorts), request.user
    conversation_id = conversation_of(caller, reply_id)
    location, message = await asyncio.gather(
        ports.reply_locks.locate(caller.tenant, reply_id),
        ports.core.read_models.messages.get(f"{caller.tenant}/{conversation_id}", reply_id),
    )
    if location is not None and location.conversation_id != conversation_id:
        location = None
    if location is None and message is None:
        raise Refused("not_found", f"there is no reply {reply_id}")
    return Reply(reply_id, conversation_id, ids.derive("lone-question", reply_id), location), message


async def find_streamable(request: ApiRequest, reply_id: str) -> Reply:
    """A reply to stream: with Redis down one that was asked for here will do."""
    try:
        reply, _ = await find_reply(request, reply_id)
    except Unavailable:
        caller, conversation_id = request.user, conversation_of(request.user, reply_id)
        location = request.ports(ChatPorts).locations.find_recent(caller.tenant, reply_id)
        if location is None or location.conversation_id != conversation_id:
            raise
        return Reply(reply_id, conversation_id, location.message_id, location)
    return reply


async def frames(ports: ChatPorts, caller: Caller, reply: Reply) -> AsyncGenerator[ReplyFrame, None]:
    """The reply's frames from the beginning, to its terminal one; Unavailable("overloaded") when that does not come.

    Counted among the open streams: whoever waits for an answer costs what a stream costs, whatever is made of it.
    """
    core = ports.core
    asked_s, deadline_s = reply.asked_s, core.clock.monotonic_s() + core.settings.model.total_timeout_s + ANSWER_MARGIN_S
    with ports.http.streams.enter():
        async with aclosing(read_frames(ports, caller, reply)) as relayed:
            async for frame in relayed:
                asked_s = observe_frame(ports, frame, asked_s)
                if not frame.terminal and core.clock.monotonic_s() > deadline_s:
                    raise Unavailable("overloaded", f"reply {reply.id} has not ended in time", retry_after_s=5.0)
                yield frame


def error_of(problem: Problem) -> ClawError:
    """What an agent told of a failure, as the error that gives it to the caller."""
    code = problem.code if problem.code in CATALOGUE else "answer_failed"
    if code in LASTING:
        return Refused(code, problem.detail)
    if CATALOGUE[code].status >= SERVER_ERROR:  # passes by itself, or is the operator's
        return Unavailable(code, problem.detail, retry_after_s=problem.retry_after_s or 1.0)
    return Refused(code, problem.detail, errors=problem.errors)


async def _find_earlier_location(request: ApiRequest, reply_id: str) -> ReplyLocation | None:
    """Where the answer of the very same request is told; None when it did not reach the log, or nobody can tell: the ids, which are the
    same again, keep a repeat harmless.
    """
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    try:
        await begin_idempotent(request)
        return await ports.reply_locks.locate(tenant, reply_id)
    except Unavailable:
        return ports.locations.find_recent(tenant, reply_id)


async def _resolve_bases(request: ApiRequest, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    ports, caller = request.ports(ChatPorts), request.user
    if chosen is None:
        return await ports.http.access.resolve_knowledge_bases(caller, ())
    if not chosen:
        return ()
    await ports.http.access.check_knowledge_bases(caller, chosen)
    return await ports.http.access.resolve_knowledge_bases(caller, chosen)
