"""What goes on in a conversation, and what it has cost: small answers for a reader who has it open."""

from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from api.chats.ask import reply_lock_s
from api.chats.ports import ChatPorts
from api.http.gate import CHAT
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from schemas.bodies.conversations import ConversationActivity, ConversationUsage, OpenReply

PAGE = 100  # messages read at once
COUNTED_MAX = 5_000  # messages that are added up: 50 round trips


@get("/conversations/{conversation_id:str}/activity", opt=CHAT, responses=PROBLEMS, summary="Get the activity of a conversation")
async def activity(request: ApiRequest, conversation_id: FromPath[UUID]) -> ConversationActivity:
    """The newest message and the open reply. Cheap enough to ask every few seconds: whoever has the conversation open learns of questions
    that were asked elsewhere.
    """
    ports, caller = request.ports(ChatPorts), request.user
    found = await ports.http.access.find_conversation(caller, str(conversation_id))
    open_reply = await _find_open_reply(
        ports, caller.tenant, found.id
    )  # before the newest message: an answer that ends now is in one of both
    newest = await ports.core.read_models.messages.list(f"{caller.tenant}/{found.id}", limit=1)
    return ConversationActivity(
        conversation_id=found.id,
        revision=found.revision,
        newest_message_id=newest.items[0].id if newest.items else "",
        open_reply=open_reply,
    )


async def _find_open_reply(ports: ChatPorts, tenant: str, conversation_id: str) -> OpenReply | None:
    """The reply that holds the conversation's lock, unless it has ended and the lock was not released."""
    reply_id = ports.running.holder((tenant, conversation_id), reply_lock_s(ports)) or await ports.reply_locks.holder(
        tenant, conversation_id
    )
    if reply_id is None or ports.running.was_never_asked(reply_id):
        return None
    location = await ports.locations.find(tenant, reply_id)
    if location is None or await ports.core.read_models.messages.get(f"{tenant}/{conversation_id}", reply_id) is not None:
        return None
    return OpenReply(
        reply_id=reply_id, message_id=location.message_id, stream=f"/api/v1/conversations/{conversation_id}/replies/{reply_id}/stream"
    )


@get("/conversations/{conversation_id:str}/usage", opt=CHAT, responses=PROBLEMS, summary="Get the tokens and cost of a conversation")
async def usage(request: ApiRequest, conversation_id: FromPath[UUID]) -> ConversationUsage:
    """The sum over the answers of all branches, of the newest 5,000 messages; answers from the cache cost nothing."""
    ports, caller = request.ports(ChatPorts), request.user
    found = await ports.http.access.find_conversation(caller, str(conversation_id))
    messages = answers = prompt_tokens = completion_tokens = cost_micros = 0
    is_estimated, cursor = False, ""
    while messages < COUNTED_MAX:
        page = await ports.core.read_models.messages.list(f"{caller.tenant}/{found.id}", limit=PAGE, cursor=cursor)
        messages += len(page.items)
        for message in page.items:
            if message.role == "assistant":
                answers += 1
                is_estimated |= message.usage.estimated
                prompt_tokens += message.usage.prompt_tokens
                completion_tokens += message.usage.completion_tokens
                cost_micros += message.cost_micros
        if not (cursor := page.next_cursor):
            break
    return ConversationUsage(
        conversation_id=found.id,
        answers=answers,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        estimated=is_estimated,
        cost_micros=cost_micros,
        currency=ports.core.live.settings.model.price_currency,
        complete=not cursor,
    )


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[activity, usage], tags=["conversations"])
