"""Why an answer is what it is, from the topics: for whoever asked, and for admins of the tenant."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from api.chats.explanation import RecordedReply, explain_reply
from api.chats.standalone import find_reply
from api.http.gate import CHAT
from api.http.identity import Caller
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.ports import Ports
from domain.chats.reply_lock import ReplyLocation
from schemas.bodies.explanations import Explanation
from schemas.chats import Message
from schemas.errors import Refused, Unavailable


@get(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/explain",
    opt=CHAT,
    responses=PROBLEMS,
    summary="Why is the answer what it is?",
)
async def explain(request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID]) -> Explanation:
    """Question, search, passages with scores, the prompt as sent, model, tokens, cost, attempts, times, citations, feedback.

    Read from the topics; what they no longer keep is named in ``missing``. For an answer that has ended.
    """
    ports, caller = request.ports, request.user
    message, location = await asyncio.gather(
        ports.views.messages.get(f"{caller.tenant}/{conversation_id}", str(reply_id)), _location(ports, caller.tenant, str(reply_id))
    )
    if message is None or message.role != "assistant" or not _may_see(caller, message):
        raise Refused("not_found", f"there is no reply {reply_id}, or it has not ended")
    return await _explain(ports, caller.tenant, message, location)


@get("/knowledge/queries/{reply_id:str}/explain", opt=CHAT, responses=PROBLEMS, summary="Why is the answer to a query what it is?")
async def explain_query(request: ApiRequest, reply_id: FromPath[UUID]) -> Explanation:
    """The same of an answer without a conversation, for a day and for whoever asked: also of a chat completion, whose id ends in it."""
    reply, message = await find_reply(request, str(reply_id))
    if message is None:
        raise Refused("not_found", f"the reply {reply_id} has not ended")
    return await _explain(request.ports, request.user.tenant, message, reply.location)


async def _explain(ports: Ports, tenant: str, message: Message, location: ReplyLocation | None) -> Explanation:
    scope = f"{tenant}/{message.conversation_id}"
    feedback, visible = await asyncio.gather(ports.views.feedback.get(scope, message.id), _visible_versions(ports, message))
    trail = await ports.trails.read(tenant, message, location)
    return explain_reply(RecordedReply(message, trail, feedback, visible), ports.settings)


def _may_see(caller: Caller, message: Message) -> bool:
    """Whoever asked; an admin in person, or a key of theirs with the scope ops."""
    admin = caller.role == "admin" and (caller.scopes is None or "ops" in caller.scopes)
    return admin or message.user_id == caller.account_id


async def _location(ports: Ports, tenant: str, reply_id: str) -> ReplyLocation | None:
    """Only a shortcut: the log's own times will do."""
    try:
        return await ports.turns.locate(tenant, reply_id)
    except Unavailable:
        return None


async def _visible_versions(ports: Ports, message: Message) -> Mapping[str, int | None]:
    """The version of each document that readers see now."""
    keys = sorted(message.versions)
    return {key: standing.visible_version for key, standing in (await ports.visibility.version_states(keys)).items()} if keys else {}


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[explain, explain_query], tags=["chat"])
