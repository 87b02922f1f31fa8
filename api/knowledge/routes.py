"""Knowledge bases: sets of documents of an account, which may be shared with its tenant."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from api.http.access import can_read
from api.http.gate import KNOWLEDGE_READ, KNOWLEDGE_WRITE
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import etag, find_created, given_fields, json_response, require_match, run_idempotent
from api.knowledge.ports import KnowledgePorts
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from schemas import ids
from schemas.bodies.knowledge import KnowledgeCreate, KnowledgePatch, KnowledgeView
from schemas.bodies.pages import Page
from schemas.documents import DocumentWithdrawn, Withdrawal
from schemas.errors import Refused, Unavailable
from schemas.records import KnowledgeBase, KnowledgeBaseChanged
from streams.log.outgoing import Outgoing

WITHDRAW_BATCH = 100  # documents per round when a knowledge base is deleted
ROUNDS_MAX = 10  # of one request; a repeat continues with the rest
RETRY_AFTER_S = 2.0


@post("/knowledge", opt=KNOWLEDGE_WRITE | ANSWERED, responses=PROBLEMS, summary="Create a knowledge base")
async def create(request: ApiRequest, data: JSONBody[KnowledgeCreate]) -> Response[KnowledgeView]:
    """It accepts documents as soon as this returns."""

    async def make() -> Response[Any]:
        caller, now = request.user, request.core.clock.now()
        record = KnowledgeBase(
            id=await request.new_id("knowledge-base", caller.tenant, caller.account_id),
            tenant=caller.tenant,
            user_id=caller.account_id,
            name=data.name,
            description=data.description,
            sharing=data.sharing,
            created_at=now,
            updated_at=now,
        )
        if (present := await find_created(request, request.core.read_models.knowledge_bases, caller.tenant, record.id)) is not None:
            return await _response(request, present, HTTPStatus.CREATED)
        async with request.http.caps.room("knowledge_bases", caller, record.id):
            await _write(request, record)
        return await _response(request, record, HTTPStatus.CREATED)

    return await run_idempotent(request, make)


@get("/knowledge", opt=KNOWLEDGE_READ, responses=PROBLEMS, summary="List knowledge bases, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[KnowledgeView]:
    """Your own and those shared with you. A page may be shorter than ``limit`` although another one follows."""
    page = await request.core.read_models.knowledge_bases.list(request.user.tenant, limit=limit, cursor=cursor)
    readable = [base for base in page.items if can_read(request.user, base)]
    views = await asyncio.gather(*(_view(request, base) for base in readable))
    return Page(items=tuple(views), next_cursor=page.next_cursor or None)


@get("/knowledge/{knowledge_base_id:str}", opt=KNOWLEDGE_READ, responses=PROBLEMS, summary="Get a knowledge base")
async def read(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> Response[KnowledgeView]:
    """With its ETag."""
    return await _response(request, await request.http.access.find_knowledge_base(request.user, str(knowledge_base_id)))


@patch("/knowledge/{knowledge_base_id:str}", opt=KNOWLEDGE_WRITE, responses=PROBLEMS, summary="Update a knowledge base")
async def change(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[KnowledgePatch]) -> Response[KnowledgeView]:
    """Fields left out stay as they are. With ``If-Match`` a concurrent change is refused with ``412``."""
    ports = request.ports(KnowledgePorts)
    changes = given_fields(data)
    async with ports.core.records.lease(f"knowledge/{knowledge_base_id}"):
        present = await ports.http.access.find_own_knowledge_base(request.user, str(knowledge_base_id))
        require_match(request, present.revision)
        changed = msgspec.structs.replace(present, **changes, updated_at=ports.core.clock.now(), revision=present.revision + 1)
        await _write(request, changed)
    return await _response(request, changed)


@delete("/knowledge/{knowledge_base_id:str}", opt=KNOWLEDGE_WRITE, responses=PROBLEMS, summary="Delete a knowledge base and its documents")
async def remove(request: ApiRequest, knowledge_base_id: FromPath[UUID]) -> None:
    """Its documents are no longer found once this returns; their points leave the index afterwards."""
    ports, caller = request.ports(KnowledgePorts), request.user
    async with ports.core.records.lease(f"knowledge/{knowledge_base_id}"):
        present = await ports.http.access.find_own_knowledge_base(caller, str(knowledge_base_id))
        if present.id in {ids.default_knowledge_base(caller.tenant), ids.own_knowledge_base(caller.tenant, caller.account_id)}:
            raise Refused("forbidden", "the default knowledge base cannot be deleted: upstream systems write to it")
        require_match(request, present.revision)
        await _withdraw_all(request, present)
        deleted_base = msgspec.structs.replace(present, deleted=True, updated_at=ports.core.clock.now(), revision=present.revision + 1)
        await _write(request, deleted_base)


async def _withdraw_all(request: ApiRequest, base: KnowledgeBase) -> None:
    """Withdraw every document; first, so that after a failure the deletion can be repeated."""
    ports, caller = request.ports(KnowledgePorts), request.user
    cursor = ""
    for _ in range(ROUNDS_MAX):
        page = await ports.core.read_models.documents.list(f"{caller.tenant}/{base.id}", limit=WITHDRAW_BATCH, cursor=cursor)
        outgoing = []
        for progress in page.items:
            data = Withdrawal(knowledge_base_id=base.id, document_id=progress.document_id, requested_by=caller.account_id)
            subject = ids.document_key(caller.tenant, base.id, progress.document_id)
            outgoing.append(Outgoing(DOCUMENTS_SUBMITTED, await request.event(DocumentWithdrawn, subject, data)))
        await ports.core.publisher.publish_all(outgoing)
        cursor = page.next_cursor
        if not cursor:
            return
    raise Unavailable("overloaded", "the knowledge base has more documents than one request deletes", retry_after_s=RETRY_AFTER_S)


async def _write(request: ApiRequest, base: KnowledgeBase) -> None:
    event = await request.event(KnowledgeBaseChanged, base.id, base)
    await request.core.records.change(Outgoing(KNOWLEDGE_CHANGED, event))
    request.http.access.invalidate_knowledge_bases(request.user)


async def _view(request: ApiRequest, base: KnowledgeBase) -> KnowledgeView:
    documents = None
    with suppress(Unavailable):  # a change has happened all the same
        documents = await request.core.read_models.documents.count(f"{base.tenant}/{base.id}")
    return KnowledgeView.of(base, documents)


async def _response(request: ApiRequest, base: KnowledgeBase, status: int = HTTPStatus.OK) -> Response[KnowledgeView]:
    headers = {"ETag": etag(base.revision)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/api/v1/knowledge/{base.id}"
    return json_response(await _view(request, base), status, headers)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, read, change, remove], tags=["knowledge"])
