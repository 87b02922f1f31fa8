"""Questions and answers: ask, stream the answer or read its record, cancel it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from api.chats.ask import PublishedQuestion, ask, check_question
from api.chats.branches import AskCommand
from api.chats.feedback import feedback_of
from api.chats.ports import ChatPorts
from api.chats.replies import Reply, WithThinking, cancel_reply, first_frame, relay_reply, stream_reply
from api.http.gate import CHAT
from api.http.idempotency import Fresh, Replay
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import EVENTS, NO_MORE, PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, json_response
from api.http.sse import EventStream, wants_events
from schemas.bodies.conversations import (
    AnswerWish,
    CancelAccepted,
    MessageAccepted,
    MessageCreate,
    MessageEdit,
    MessageView,
    ReplyView,
)
from schemas.chats import Message, Sampling
from schemas.errors import Refused, Unavailable
from schemas.thinking import is_thinking_shown


@dataclass(frozen=True, slots=True)
class AcceptedQuestion:
    """A question that was accepted, now or by an earlier request with the same ``Idempotency-Key``."""

    body: MessageAccepted
    reply: Reply


@post(
    "/conversations/{conversation_id:str}/messages",
    opt=CHAT | ANSWERED,
    responses={**PROBLEMS, 200: EVENTS},
    status_code=HTTPStatus.ACCEPTED,
    summary="Ask a question",
)
async def create(request: ApiRequest, conversation_id: FromPath[UUID], data: JSONBody[MessageCreate]) -> Response[MessageAccepted]:
    """``202`` once the question is on the log; with ``Accept: text/event-stream`` the answer streams right away.

    Messages form a tree: ``parent_id`` continues any answer of the conversation.
    """
    check_question(request.ports(ChatPorts), "content", data.content)
    parent_id = None if data.parent_id is msgspec.UNSET else data.parent_id or ""
    return await _respond(request, str(conversation_id), AskCommand(data.content, parent_id, mode=data.mode, **_wish_of(request, data)))


@post(
    "/conversations/{conversation_id:str}/messages/{message_id:str}/edit",
    opt=CHAT | ANSWERED,
    responses={**PROBLEMS, 200: EVENTS},
    status_code=HTTPStatus.ACCEPTED,
    summary="Edit a question",
)
async def edit(
    request: ApiRequest, conversation_id: FromPath[UUID], message_id: FromPath[UUID], data: JSONBody[MessageEdit]
) -> Response[MessageAccepted]:
    """The edited question starts a new branch in place of the original, and is answered like any question."""
    check_question(request.ports(ChatPorts), "content", data.content)
    command = AskCommand(data.content, edits=str(message_id), mode=data.mode, **_wish_of(request, data))
    return await _respond(request, str(conversation_id), command)


@post(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/regenerate",
    opt=CHAT | ANSWERED,
    responses={**PROBLEMS, 200: EVENTS},
    status_code=HTTPStatus.ACCEPTED,
    summary="Regenerate an answer",
)
async def regenerate(
    request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID], data: JSONBody[AnswerWish | None] = None
) -> Response[MessageAccepted]:
    """Adds another answer to the same question, beside the existing one. The body is optional."""
    command = AskCommand(repeats=str(reply_id), **_wish_of(request, data or AnswerWish()))
    return await _respond(request, str(conversation_id), command)


def _wish_of(request: ApiRequest, wish: AnswerWish) -> dict[str, Any]:
    """The members of a command that say which model answers, how it thinks, and whether the asker sees that."""
    shown = is_thinking_shown(request.core.settings.model.show_thinking, wish.show_thinking)
    sampling = Sampling(thinking=wish.thinking, reasoning_effort=wish.reasoning_effort)
    return {"model": wish.model, "sampling": sampling, "with_thinking": shown}


async def _respond(request: ApiRequest, conversation_id: str, command: AskCommand) -> Response[MessageAccepted]:
    """The response to a question: where to follow the reply, or the reply as a stream."""
    streamed = wants_events(request)
    if streamed:
        await request.take_stream()
    answering = await ask_once(request, conversation_id, command, settle_first=not streamed)
    if not streamed:
        if answering.reply.asked_s is not None:
            request.ports(ChatPorts).running.put_asked(answering.reply.id, answering.reply.asked_s)
        return json_response(answering.body, HTTPStatus.ACCEPTED, {"Location": _path(answering.reply)})
    first = first_frame(answering.reply, answering.body.queue_position, answering.body.estimated_wait_s)
    reply = replace(answering.reply, with_thinking=command.with_thinking)
    return EventStream(relay_reply(request.ports(ChatPorts), request.user, reply, first=first))


@get("/conversations/{conversation_id:str}/replies/{reply_id:str}", opt=CHAT, responses=PROBLEMS, summary="Get an answer")
async def read(request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID]) -> ReplyView:
    """With its message once it has ended."""
    reply, message = await _find_reply(request, str(conversation_id), str(reply_id))
    given = await feedback_of(request.ports(ChatPorts), request.user, reply.conversation_id, (message,) if message is not None else ())
    return ReplyView(
        reply_id=reply.id,
        conversation_id=reply.conversation_id,
        state=message.state if message is not None else "open",
        stream=f"{_path(reply)}/stream",
        message=MessageView.of(message, feedback=given.get(message.id)) if message is not None else None,
    )


@get(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/stream",
    opt=CHAT,
    responses={**PROBLEMS, 200: EVENTS, 204: NO_MORE},
    summary="Stream an answer",
)
async def stream(
    request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID], thinking: WithThinking = None
) -> Response[None]:
    """From the beginning, or exactly after ``Last-Event-ID``; on any replica, also once it has ended."""
    await request.take_stream()
    reply = await _find_streamable(request, str(conversation_id), str(reply_id))
    return stream_reply(request, reply, thinking=thinking)


@post(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/cancel",
    opt=CHAT | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel an answer",
)
async def cancel(request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID]) -> CancelAccepted:
    """Its stream ends with ``cancelled``, unless it ends by itself first. ``409`` when it has already ended."""
    reply, message = await _find_reply(request, str(conversation_id), str(reply_id))
    await cancel_reply(request, reply, message)
    return CancelAccepted(reply_id=reply.id, conversation_id=reply.conversation_id, stream=f"{_path(reply)}/stream")


async def ask_once(request: ApiRequest, conversation_id: str, command: AskCommand, *, settle_first: bool) -> AcceptedQuestion:
    """Ask, once per ``Idempotency-Key``. ``settle_first``: the message can be read when this returns.

    With Redis down a repeat is recognised by this process, and the derived ids keep it harmless at another one.
    """
    if request.idempotency_key is None:
        return await _ask(request, conversation_id, command, None, settle_first=settle_first)
    ports, caller = request.ports(ChatPorts), request.user
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    async with ports.asked.one_at_a_time(caller.tenant, reply_id):
        known = None
        with suppress(Unavailable):
            known = await begin_idempotent(request)
        if isinstance(known, Replay):
            return await _repeat(request, msgspec.json.decode(known.body, type=MessageAccepted))
        if (body := ports.asked.find(caller.tenant, reply_id)) is not None:
            return await _repeat(request, body)
        if (answering := await _find_earlier_answer(request, conversation_id)) is not None:
            return answering
        answering = await _ask(request, conversation_id, command, known, settle_first=settle_first)
        ports.asked.add(caller.tenant, answering.body)
        return answering


async def _repeat(request: ApiRequest, body: MessageAccepted) -> AcceptedQuestion:
    """The question that had this response."""
    location = await request.ports(ChatPorts).locations.find(request.user.tenant, body.reply_id)
    return AcceptedQuestion(body, Reply(body.reply_id, body.message.conversation_id, body.message.id, location))


async def _ask(
    request: ApiRequest, conversation_id: str, command: AskCommand, known: Fresh | None, *, settle_first: bool
) -> AcceptedQuestion:
    asked = await ask(request, conversation_id, command)
    body = MessageAccepted(
        message=MessageView.of(asked.message),
        reply_id=asked.reply.id,
        stream=f"{_path(asked.reply)}/stream",
        queue_position=None if asked.queue is None else asked.queue.position,
        estimated_wait_s=None if asked.queue is None else asked.queue.wait_s,
    )
    settling = _settle(request, asked, body, known)
    if settle_first:
        await settling
    else:
        request.core.background.run(settling)
    return AcceptedQuestion(body, asked.reply)


async def _find_earlier_answer(request: ApiRequest, conversation_id: str) -> AcceptedQuestion | None:
    """The same question, if it was published although its response was lost (a 503), and has been answered since."""
    ports, caller = request.ports(ChatPorts), request.user
    message_id = await request.new_id("message", caller.tenant, caller.account_id)
    reply_id = await request.new_id("reply", caller.tenant, caller.account_id)
    try:
        found = await ports.http.access.find_conversation(caller, conversation_id)
        scope = f"{caller.tenant}/{found.id}"
        messages = await ports.core.read_models.messages.get_many(scope, (message_id, reply_id))
        answer = messages.get(reply_id)
        if answer is None:
            return None
        question = messages.get(message_id) or await ports.core.read_models.messages.get(
            scope, answer.parent_id
        )  # a regenerated answer has an older question
        location = await ports.locations.find(caller.tenant, reply_id)
    except Unavailable:
        return None
    if question is None:
        return None
    reply = Reply(reply_id, found.id, question.id, location)
    return AcceptedQuestion(MessageAccepted(message=MessageView.of(question), reply_id=reply_id, stream=f"{_path(reply)}/stream"), reply)


async def _settle(request: ApiRequest, asked: PublishedQuestion, body: MessageAccepted, known: Fresh | None) -> None:
    """Make the message readable and store the response; while Redis is down the projection and the derived ids make up for both."""
    ports = request.ports(ChatPorts)
    work: list[Any] = []
    if asked.written is not None and asked.place is not None:
        work.append(ports.core.read_models.apply(asked.written, asked.place))
    if known is not None:
        work.append(ports.http.idempotency.finish(known, HTTPStatus.ACCEPTED, msgspec.json.encode(body), {}))
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, Unavailable):
            raise result


async def _find_reply(request: ApiRequest, conversation_id: str, reply_id: str) -> tuple[Reply, Message | None]:
    """A reply of the caller's conversation, and its message when it has ended; Refused("not_found") otherwise."""
    ports, caller = request.ports(ChatPorts), request.user
    found = await ports.http.access.find_conversation(caller, conversation_id)
    location, message = await asyncio.gather(
        ports.locations.find(caller.tenant, reply_id), ports.core.read_models.messages.get(f"{caller.tenant}/{found.id}", reply_id)
    )
    if message is not None and message.role == "assistant":
        return Reply(reply_id, found.id, message.parent_id, location), message
    if location is None and message is None:
        location = await ports.locations.search(caller.tenant, found.id, reply_id)
    if location is None or location.conversation_id != found.id:
        raise Refused("not_found", f"there is no reply {reply_id}")
    return Reply(reply_id, found.id, location.message_id, location), None


async def _find_streamable(request: ApiRequest, conversation_id: str, reply_id: str) -> Reply:
    """A reply to stream: by its location alone when that is known, which also works while Redis is down."""
    found = await request.http.access.find_conversation(request.user, conversation_id, lately=True)
    locations, tenant = request.ports(ChatPorts).locations, request.user.tenant
    try:
        location = await locations.find(tenant, reply_id)
    except Unavailable:
        location = await locations.search(tenant, found.id, reply_id)
        if location is None:
            raise
    if location is not None and location.conversation_id == found.id:
        return Reply(reply_id, found.id, location.message_id, location)
    reply, _ = await _find_reply(request, conversation_id, reply_id)  # the location has expired: only the message is left
    return reply


def _path(reply: Reply) -> str:
    return f"/api/v1/conversations/{reply.conversation_id}/replies/{reply.id}"


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, edit, regenerate, read, stream, cancel], tags=["chat"])
