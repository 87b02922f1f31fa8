"""Conversations and their messages."""

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter

from api.chats.branches import find_branch_end, read_branch
from api.chats.feedback import feedback_of
from api.chats.models import choose_model
from api.chats.modes import choose_mode
from api.chats.ports import ChatPorts
from api.conversations.filters import SEARCH_CHARS_MAX, ConversationFilter
from api.http.access import conversations_of
from api.http.gate import CHAT
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import etag, find_created, given_fields, json_response, map_page, require_match, run_idempotent
from domain.chats.records import ROOT
from domain.chats.topics import CONVERSATIONS_CHANGED
from schemas.bodies.conversations import ConversationCreate, ConversationPatch, ConversationView, MessageView
from schemas.bodies.pages import Page
from schemas.errors import Unavailable
from schemas.records import Conversation, ConversationChanged
from streams.log.outgoing import Outgoing
from streams.tables.cursor import invalid_cursor
from streams.tables.record_table import RecordPage as TablePage

Branch = Annotated[UUID | None, QueryParameter(description="Only this message and those above it, the newest first.")]
Below = Annotated[
    bool | None,
    QueryParameter(
        description="With `branch`: begin at the end of the branch, following the newest message below each; the first page only."
    ),
]

OfStatus = Annotated[Literal["active", "archived"] | None, QueryParameter(description="Only those with this status.")]
OfPinned = Annotated[bool | None, QueryParameter(description="Only those that are pinned, or only those that are not.")]
Search = Annotated[
    str, QueryParameter(max_length=SEARCH_CHARS_MAX, description="Only those whose title has all of these words, in any case and order.")
]
UNMOVED = {"title", "titled_by", "pinned", "status"}  # a change of these alone leaves a conversation where it is in the list


@post("/conversations", opt=CHAT | ANSWERED, responses=PROBLEMS, summary="Create a conversation")
async def create(request: ApiRequest, data: JSONBody[ConversationCreate]) -> Response[ConversationView]:
    """The conversation can be read and asked in as soon as this returns."""

    async def make() -> Response[Any]:
        caller, now = request.user, request.core.clock.now()
        chosen = tuple(str(base_id) for base_id in data.knowledge_base_ids)
        await request.http.access.check_knowledge_bases(caller, chosen)
        record = Conversation(
            id=await request.new_id("conversation", caller.tenant, caller.account_id),
            tenant=caller.tenant,
            user_id=caller.account_id,
            title=data.title,
            titled_by="person" if data.title else "",
            type=data.type,
            system_prompt=data.system_prompt,
            knowledge_base_ids=chosen,
            mode=choose_mode(caller, data.mode),
            model=choose_model(request.core.live.settings, data.model),
            created_at=now,
            updated_at=now,
        )
        if (
            present := await find_created(request, request.core.read_models.conversations, conversations_of(caller), record.id)
        ) is not None:
            return _response(present, HTTPStatus.CREATED)
        async with request.http.caps.room("conversations", caller, record.id):
            await _write(request, record)
        return _response(record, HTTPStatus.CREATED)

    return await run_idempotent(request, make)


@get("/conversations", opt=CHAT, responses=PROBLEMS, summary="List conversations, the last active first")
async def list_(
    request: ApiRequest, limit: Limit = 20, cursor: Cursor = "", status: OfStatus = None, pinned: OfPinned = None, q: Search = ""
) -> Page[ConversationView]:
    """A question moves its conversation to the top. A page of a filtered list reads at most 1,000 conversations: it may have fewer items
    than ``limit``, and a cursor to go on with.
    """
    wanted, scope = ConversationFilter.of(status=status, pinned=pinned, q=q), conversations_of(request.user)
    table = request.core.read_models.conversations
    page = await (
        table.list_accepted(scope, wanted.accepts, limit=limit, cursor=cursor)
        if wanted.is_set
        else table.list(scope, limit=limit, cursor=cursor)
    )
    request.core.count_table_lookup(request.user.tenant, "user_conversations", found=bool(page.items))
    return map_page(page, ConversationView.of)


@get("/conversations/{conversation_id:str}", opt=CHAT, responses=PROBLEMS, summary="Get a conversation")
async def read(request: ApiRequest, conversation_id: FromPath[UUID]) -> Response[ConversationView]:
    """With its ETag."""
    return _response(await request.http.access.find_conversation(request.user, str(conversation_id)))


@patch("/conversations/{conversation_id:str}", opt=CHAT, responses=PROBLEMS, summary="Update a conversation")
async def change(request: ApiRequest, conversation_id: FromPath[UUID], data: JSONBody[ConversationPatch]) -> Response[ConversationView]:
    """Fields left out stay as they are. With ``If-Match`` a concurrent change is refused with ``412``. Title, pin and archive leave a
    conversation where it is in the list.
    """
    ports, caller = request.ports(ChatPorts), request.user
    changes = given_fields(data)
    if "knowledge_base_ids" in changes:
        changes["knowledge_base_ids"] = tuple(str(base_id) for base_id in changes["knowledge_base_ids"])
        await ports.http.access.check_knowledge_bases(caller, changes["knowledge_base_ids"])
    if "mode" in changes:
        choose_mode(caller, changes["mode"])
    if "model" in changes:
        choose_model(ports.core.live.settings, changes["model"])
    if "title" in changes:
        changes["titled_by"] = "person"
    async with ports.core.records.lease(f"conversation/{conversation_id}"):
        present = await ports.http.access.find_conversation(caller, str(conversation_id))
        require_match(request, present.revision)
        updated_at = present.updated_at if changes.keys() <= UNMOVED else ports.core.clock.now()
        changed = msgspec.structs.replace(present, **changes, updated_at=updated_at, revision=present.revision + 1)
        await _write(request, changed)
    return _response(changed)


@delete("/conversations/{conversation_id:str}", opt=CHAT, responses=PROBLEMS, summary="Delete a conversation and its messages")
async def remove(request: ApiRequest, conversation_id: FromPath[UUID]) -> None:
    """Deleted for every reader when this returns; an open answer is cancelled. Its text leaves the log within days: see
    docs/conversations.md.
    """
    ports, caller = request.ports(ChatPorts), request.user
    async with ports.core.records.lease(f"conversation/{conversation_id}"):
        present = await ports.http.access.find_conversation(caller, str(conversation_id))
        require_match(request, present.revision)
        deleted_record = msgspec.structs.replace(
            present,
            title="",
            system_prompt="",
            knowledge_base_ids=(),
            deleted=True,
            updated_at=ports.core.clock.now(),
            revision=present.revision + 1,
        )
        await _write(request, deleted_record)
    await _cancel_open_reply(request, deleted_record.id)


@get("/conversations/{conversation_id:str}/messages", opt=CHAT, responses=PROBLEMS, summary="List messages, the newest first")
async def messages(
    request: ApiRequest,
    conversation_id: FromPath[UUID],
    limit: Limit = 20,
    cursor: Cursor = "",
    branch: Branch = None,
    below: Below = False,  # noqa: FBT002
) -> Page[MessageView]:
    """Questions and answers with citations, of all branches by time, or of one branch; an answer appears once it has ended."""
    ports, caller = request.ports(ChatPorts), request.user
    found = await ports.http.access.find_conversation(caller, str(conversation_id))
    scope = f"{caller.tenant}/{found.id}"
    if branch is None:
        page = await ports.core.read_models.messages.list(scope, limit=limit, cursor=cursor)
    else:
        start = _parse_branch_cursor(cursor) if cursor else str(branch)
        if below and not cursor:
            start = await find_branch_end(ports, scope, start)
        items, above = await read_branch(ports, scope, start, limit)
        page = TablePage(items, above)
    ports.core.count_table_lookup(caller.tenant, "conversation_history", found=bool(page.items))
    siblings = await ports.core.read_models.messages.group_members(scope, tuple({message.parent_id or ROOT for message in page.items}))
    given = await feedback_of(ports, caller, found.id, page.items)
    return map_page(page, lambda message: MessageView.of(message, siblings[message.parent_id or ROOT], given.get(message.id)))


def _parse_branch_cursor(cursor: str) -> str:
    """The id of the message to continue a branch from."""
    try:
        return str(UUID(cursor))
    except ValueError:
        raise invalid_cursor() from None


async def _cancel_open_reply(request: ApiRequest, conversation_id: str) -> None:
    """Cancel the open reply of a deleted conversation. While Redis is down it ends by itself, and its message is not stored."""
    ports, tenant = request.ports(ChatPorts), request.user.tenant
    ports.running.histories.forget((tenant, conversation_id))
    with suppress(Unavailable):
        if (reply_id := await ports.reply_locks.holder(tenant, conversation_id)) is not None:
            await ports.reply_locks.request_cancel(tenant, reply_id)
            await ports.reply_locks.release(tenant, conversation_id, reply_id)


async def _write(request: ApiRequest, record: Conversation) -> None:
    event = await request.event(ConversationChanged, record.id, record)
    await request.core.records.change(Outgoing(CONVERSATIONS_CHANGED, event))
    request.http.access.remember_conversation(record)


def _response(record: Conversation, status: int = HTTPStatus.OK) -> Response[ConversationView]:
    headers = {"ETag": etag(record.revision)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/api/v1/conversations/{record.id}"
    return json_response(ConversationView.of(record), status, headers)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, read, change, remove, messages], tags=["conversations"])
