"""Ratings of answers: an event, and a record beside the message."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, post
from litestar.params import FromPath, JSONBody

from api.chats.ports import ChatPorts
from api.http.gate import CHAT
from api.http.identity import Caller
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response, run_idempotent
from domain.chats.topics import FEEDBACK_GIVEN
from schemas.bodies.feedback import FeedbackCreate, FeedbackView
from schemas.chats import Feedback, FeedbackGiven, Message, RatingBefore
from schemas.errors import Refused
from streams.log.outgoing import Outgoing
from streams.tables.recent_requests import add_request


@post(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/feedback",
    opt=CHAT | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Rate an answer",
)
async def give(
    request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID], data: JSONBody[FeedbackCreate]
) -> Response[FeedbackView]:
    """The rating is shown with the message when this returns, and replaces an earlier one of the same answer."""

    async def make() -> Response[Any]:
        ports, caller = request.ports(ChatPorts), request.user
        found = await ports.http.access.find_conversation(caller, str(conversation_id))
        message = await ports.core.read_models.messages.get(f"{caller.tenant}/{found.id}", str(reply_id))
        if message is None or message.role != "assistant":
            raise Refused("not_found", f"there is no reply {reply_id}, or it has not ended")
        rating = Feedback(
            user_id=caller.account_id,
            conversation_id=found.id,
            reply_id=message.id,
            rating=data.rating,
            comment=data.comment,
            tags=data.tags,
            model=message.model,
            replied_at=message.created_at,
            knowledge_base_ids=tuple(sorted({citation.knowledge_base_id for citation in message.citations})) or found.knowledge_base_ids,
        )
        async with ports.core.records.lease(f"feedback/{found.id}/{message.id}"):
            if await _write_once(request, rating):
                ports.core.metrics.feedback.labels(message.model, data.rating).inc()
        return json_response(FeedbackView.of(rating))

    return await run_idempotent(request, make)


async def _write_once(request: ApiRequest, rating: Feedback) -> bool:
    """Whether the rating was written: not by a late repeat, which would replace a newer one."""
    ports, caller = request.ports(ChatPorts), request.user
    present = await ports.core.read_models.feedback.get(f"{caller.tenant}/{rating.conversation_id}", rating.reply_id)
    requests = present.requests if present is not None else ()
    if present is not None:
        rating = msgspec.structs.replace(rating, replaces=RatingBefore(rating=present.rating, tags=present.tags))
    if request.idempotency_key is not None:
        request_id = await request.event_id(FeedbackGiven, caller.account_id)
        if request_id in requests:
            return False
        requests = add_request(requests, request_id)
    event = await request.event(FeedbackGiven, caller.account_id, msgspec.structs.replace(rating, requests=requests))
    await ports.core.records.change(Outgoing(FEEDBACK_GIVEN, event))
    return True


async def feedback_of(ports: ChatPorts, caller: Caller, conversation_id: str, messages: Sequence[Message]) -> Mapping[str, Feedback]:
    """The ratings of those messages that are answers, by message id."""
    replies = [message.id for message in messages if message.role == "assistant"]
    return await ports.core.read_models.feedback.get_many(f"{caller.tenant}/{conversation_id}", replies) if replies else {}


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[give], tags=["chat"])
