"""Search in the index: passages for a query, the chunks of a document. Only visible versions."""

import re
from http import HTTPStatus
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from api.documents.routes import DocumentName
from api.http.gate import KNOWLEDGE_READ
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, invalid_field, json_response
from api.knowledge import index_requests
from api.knowledge.ports import KnowledgePorts
from schemas import ids
from schemas.bodies.search import ChunkPage, ChunkView, PassageView, SearchAnswer, SearchManyRequest, SearchRequest
from schemas.chats import Turn
from schemas.errors import Refused, Unavailable
from schemas.requests import ListChunks, Search
from streams.tables.cursor import decode_cursor, encode_cursor, invalid_cursor

SWITCHES_MAX = 3  # switches of the visible version that the first page of chunks tolerates

_POSITION = re.compile(rb"(\d{1,19})\.(\d{1,9})")


@post(
    "/knowledge/{knowledge_base_id:str}/search",
    opt=KNOWLEDGE_READ | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Search a knowledge base",
)
async def one(request: ApiRequest, knowledge_base_id: FromPath[UUID], data: JSONBody[SearchRequest]) -> Response[SearchAnswer]:
    """Passages with their scores, best first."""
    base = await request.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    return await _search(request, (base.id,), data)


@post(
    "/knowledge/search",
    opt=KNOWLEDGE_READ | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Search several knowledge bases",
)
async def several(request: ApiRequest, data: JSONBody[SearchManyRequest]) -> Response[SearchAnswer]:
    """Passages with their scores, best first."""
    wanted = tuple(str(base_id) for base_id in data.knowledge_base_ids)
    await request.http.access.check_knowledge_bases(request.user, wanted)
    return await _search(request, await request.http.access.resolve_knowledge_bases(request.user, wanted), data)


@get(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}/chunks",
    opt=KNOWLEDGE_READ,
    responses=PROBLEMS,
    summary="List the chunks of a document",
)
async def chunks(
    request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName, limit: Limit = 20, cursor: Cursor = ""
) -> ChunkPage:
    """Of the version that readers see. ``412`` when another version replaced it between two pages: start again."""
    base = await request.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    version, first = _decode_position(cursor) if cursor else (await _visible_version(request, base.id, document_id), 0)
    for _ in range(SWITCHES_MAX):
        if version is None:
            return ChunkPage(document_id=document_id, knowledge_base_id=base.id, version=None, items=())
        ask = ListChunks(knowledge_base_id=base.id, document_id=document_id, version=version, first=first, limit=limit)
        listed = await index_requests.list_chunks(request, ask)
        if listed.visible == version:
            items = tuple(ChunkView.of(chunk) for chunk in listed.chunks)
            after = _encode_position(version, items[-1].ordinal + 1) if listed.more else None
            return ChunkPage(document_id=document_id, knowledge_base_id=base.id, version=version, items=items, next_cursor=after)
        if cursor:
            raise Refused("lost_update", "the visible version of the document has changed")
        version = listed.visible
    raise Unavailable("overloaded", "the document changes faster than it can be read")


async def _search(request: ApiRequest, base_ids: tuple[str, ...], data: SearchRequest) -> Response[SearchAnswer]:
    await begin_idempotent(request)
    if not data.query.strip():
        raise invalid_field("query", "has only white space", "some text")
    ask = Search(
        query=data.query,
        knowledge_base_ids=base_ids,
        limit=data.limit,
        bm25_min=data.bm25_min,
        dense_min=data.dense_min,
        history=tuple(Turn(turn.role, turn.content) for turn in data.history),
    )
    found = await index_requests.find_passages(request, ask)
    passages = tuple(PassageView.of(each) for each in found.passages)
    return json_response(SearchAnswer(query=found.query or data.query, keywords=found.keywords, passages=passages))


async def _visible_version(request: ApiRequest, base_id: str, document_id: str) -> int | None:
    """None for a document without a visible version yet; Refused("not_found") for one that does not exist."""
    ports, tenant = request.ports(KnowledgePorts), request.user.tenant
    key = ids.document_key(tenant, base_id, document_id)
    standing = (await ports.core.visibility.version_states((key,)))[key]
    if standing.visible_version is None:
        known = await ports.core.read_models.documents.get(f"{tenant}/{base_id}", document_id)
        if known is None or known.version <= standing.deleted:
            raise Refused("not_found", f"there is no document {document_id}")
    return standing.visible_version


def _encode_position(version: int, ordinal: int) -> str:
    return encode_cursor(f"{version}.{ordinal}".encode())


def _decode_position(cursor: str) -> tuple[int, int]:
    """Version and ordinal."""
    found = _POSITION.fullmatch(decode_cursor(cursor))
    if found is None:
        raise invalid_cursor()
    return int(found[1]), int(found[2])


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[one, several, chunks], tags=["retrieval"])
