"""The explanation of an answer, read from the topics: for its asker, and for admins of the tenant."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from api.chats.explanation import RecordedReply, explain_reply
from api.chats.ports import ChatPorts
from api.chats.standalone import find_reply
from api.http.gate import CHAT
from api.http.identity import Caller
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from domain.chats.reply_lock import ReplyLocation
from schemas.bodies.explanations import Explanation
from schemas.chats import Message
from schemas.errors import Refused, Unavailable


@get(
    "/conversations/{conversation_id:str}/replies/{reply_id:str}/explain",
    opt=CHAT,
    responses=PROBLEMS,
    summary="Explain an answer",
)
async def explain(request: ApiRequest, conversation_id: FromPath[UUID], reply_id: FromPath[UUID]) -> Explanation:
    """Question, search, passages with scores, the prompt as sent, model, tokens, cost, attempts, times, citations, feedback.

    Read from the topics; what has expired there is named in ``missing``. Only for an answer that has ended.
    """
    ports, caller = request.ports(ChatPorts), request.user
    message, location = await asyncio.gather(
        ports.core.read_models.messages.get(f"{caller.tenant}/{conversation_id}", str(reply_id)),
        _location(ports, caller.tenant, str(reply_id)),
    )
    if message is None or message.role != "assistant" or not may_see(caller, message):
        raise Refused("not_found", f"there is no reply {reply_id}, or it has not ended")
    return await _explain(ports, caller.tenant, message, location)


@get("/knowledge/queries/{reply_id:str}/explain", opt=CHAT, responses=PROBLEMS, summary="Explain the answer to a query")
async def explain_query(request: ApiRequest, reply_id: FromPath[UUID]) -> Explanation:
    """The same for an answer without a conversation, for a day and for its asker; also for a chat completion, whose id contains it."""
    reply, message = await find_reply(request, str(reply_id))
    if message is None:
        raise Refused("not_found", f"the reply {reply_id} has not ended")
    return await _explain(request.ports(ChatPorts), request.user.tenant, message, reply.location)


async def _explain(ports: ChatPorts, tenant: str, message: Message, location: ReplyLocation | None) -> Explanation:
    scope = f"{tenant}/{message.conversation_id}"
    feedback, visible = await asyncio.gather(ports.core.read_models.feedback.get(scope, message.id), _visible_versions(ports, message))
    trail = await ports.audit_trails.read(tenant, message, location)
    return explain_reply(RecordedReply(message, trail, feedback, visible), ports.core.live.settings)


def may_see(caller: Caller, message: Message) -> bool:
    """The asker, an admin in person, or an admin's key with the scope ops."""
    admin = caller.has_role("admin") and (caller.scopes is None or "ops" in caller.scopes)
    return admin or message.user_id == caller.account_id


async def _location(ports: ChatPorts, tenant: str, reply_id: str) -> ReplyLocation | None:
    """None while Redis is down: the audit trail is then found by time, which takes longer."""
    try:
        return await ports.reply_locks.locate(tenant, reply_id)
    except Unavailable:
        return None


async def _visible_versions(ports: ChatPorts, message: Message) -> Mapping[str, int | None]:
    """The visible version of each cited document."""
    keys = sorted(message.versions)
    return {key: standing.visible_version for key, standing in (await ports.core.visibility.version_states(keys)).items()} if keys else {}


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[explain, explain_query], tags=["chat"])
