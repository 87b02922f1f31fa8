"""Questions without a conversation: answered once, stored for a day.

No reply lock is taken and no message of the user is written: only the question is published, and the answer arrives through the relay. The
conversation id is derived from the asker and the reply's id, so only the asker can find the reply, without a record of its owner. The asker
is an account, or a widget's key.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from api.chats.estimates import QueueEstimate
from api.chats.models import choose_model
from api.chats.modes import FIELD, choose_mode
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
from schemas.records import AnswerMode
from streams.log.outgoing import Outgoing

SERVER_ERROR = 500


class StandaloneQuestion(Struct, frozen=True, kw_only=True):
    """The question. ``knowledge_base_ids``: None for all that the caller may read, an empty tuple for none. ``mode`` None: the API key's;
    ``mode_field``: the request's field that named it.
    """

    door: Door
    content: str
    knowledge_base_ids: tuple[str, ...] | None = None
    system_prompt: str = ""
    history: tuple[Turn, ...] = ()
    sampling: Sampling = Sampling()
    with_thinking: bool = False  # the asker sees what the model thinks
    mode: AnswerMode | None = None
    mode_field: str = FIELD
    model: str = ""  # that is asked first; "": the installation's default


def conversation_of(caller: Caller, reply_id: str) -> str:
    """The id of the conversation that has only this reply of the caller."""
    asker = caller.account_id if caller.widget is None else caller.key_id  # a widget's replies are found with its key alone
    return ids.derive("lone-conversation", caller.tenant, asker, reply_id)


async def ask_standalone(request: ApiRequest, asked: StandaloneQuestion) -> tuple[Reply, QueueEstimate | None]:
    """Put the question on the log, once per ``Idempotency-Key`` and body; the reply, and the queue before it, when that is known.

    Raises Refused: "not_found" for an unknown knowledge base, "validation_failed" for an unknown model, "forbidden" for a mode that the API
    key excludes, "idempotency_conflict", "rate_limited"; Unavailable when too many questions wait, or Kafka does not acknowledge it.
    """
    ports, caller = request.ports(ChatPorts), request.user
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    async with ports.asked.one_at_a_time(caller.tenant, reply_id):
        return await _ask_once(request, asked, reply_id)


async def _ask_once(request: ApiRequest, asked: StandaloneQuestion, reply_id: str) -> tuple[Reply, QueueEstimate | None]:
    ports, caller, began_s = request.ports(ChatPorts), request.user, request.core.clock.monotonic_s()
    conversation_id, message_id = conversation_of(caller, reply_id), ids.derive("lone-question", reply_id)
    if request.idempotency_key is not None and (known := await _find_earlier_location(request, reply_id)) is not None:
        return Reply(reply_id, conversation_id, message_id, known, with_thinking=asked.with_thinking), None
    mode, live = choose_mode(caller, asked.mode, field=asked.mode_field), ports.core.live.settings
    choose_model(live, asked.model)
    queue = await ports.estimates.new_question_queue(caller.tenant)
    bases = await _resolve_bases(request, asked.knowledge_base_ids)
    limiting = ports.http.limiting
    await ports.quotas.check(caller, None if caller.widget is None else limiting.widget_limits(caller.widget))
    history = fit_turns(asked.history, HistoryBudget.from_limits(ports.core.settings.limits))
    prompt_texts = (asked.content, asked.system_prompt, *(turn.content for turn in history))
    tokens_max = min(asked.sampling.max_tokens, live.model.max_tokens)
    reserved = await limiting.reserve(caller, reply_id, prompt_texts, tokens_max, asked.model)
    is_published = False
    try:
        begin = ports.relay.location()  # before the question: no event of its answer can be earlier
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
            shows_thinking=asked.with_thinking,
            api_key_id=caller.key_id,
            reserved=reserved,
            mode=mode,
            model=asked.model,
        )
        await ports.core.publisher.publish(Outgoing(CHATS_ASKED, await request.event(ChatAsked, conversation_id, question)))
        is_published = True
    finally:
        if reserved and not is_published:
            await limiting.release(caller, reply_id)
    location = ReplyLocation(conversation_id, begin.partition, begin.offset, message_id)
    location = await ports.locations.save(
        caller.tenant, reply_id, location, BRIEF_MESSAGE_S
    )  # only now: a reply with a location was published
    return Reply(reply_id, conversation_id, message_id, location, began_s, with_thinking=asked.with_thinking), queue


async def find_reply(request: ApiRequest, reply_id: str) -> tuple[Reply, Message | None]:
    """A reply of the caller's, and its message once it has ended; Refused("not_found") otherwise, and after a day."""
    ports, caller = request.ports(ChatPorts), request.user
    conversation_id = conversation_of(caller, reply_id)
    location, message = await asyncio.gather(
        ports.locations.find(caller.tenant, reply_id),
        ports.core.read_models.messages.get(f"{caller.tenant}/{conversation_id}", reply_id),
    )
    if location is not None and location.conversation_id != conversation_id:
        location = None
    if location is None and message is None:
        location = await ports.locations.search(caller.tenant, conversation_id, reply_id)
    if location is None and message is None:
        raise Refused("not_found", f"there is no reply {reply_id}")
    return Reply(reply_id, conversation_id, ids.derive("lone-question", reply_id), location), message


async def find_streamable(request: ApiRequest, reply_id: str) -> Reply:
    """A reply to stream; while Redis is down only one that was asked for here."""
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

    Counted as an open stream: waiting for an answer costs the same as streaming it.
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
    """The error of a ``failed`` event."""
    code = problem.code if problem.code in CATALOGUE else "answer_failed"
    if CATALOGUE[code].is_lasting:
        return Refused(code, problem.detail, retry_after_s=problem.retry_after_s)
    if CATALOGUE[code].status >= SERVER_ERROR:  # temporary, or for the operator to fix
        return Unavailable(code, problem.detail, retry_after_s=problem.retry_after_s or 1.0)
    return Refused(code, problem.detail, errors=problem.errors)


async def _find_earlier_location(request: ApiRequest, reply_id: str) -> ReplyLocation | None:
    """The location of the reply to the same request before; None when it did not reach the log, or when that is unknown: a repeat gets the
    same ids and does no harm.
    """
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    try:
        await begin_idempotent(request)
        return await ports.locations.find(tenant, reply_id)
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
