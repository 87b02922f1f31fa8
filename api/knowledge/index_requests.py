"""What a request asks the agents: with its tenant, in its trace, held against the visibility record once more before it leaves."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from api.http.request import ApiRequest
from api.knowledge.ports import KnowledgePorts
from schemas import ids
from schemas.errors import Unavailable
from schemas.requests import Chunks, CountShelves, Embed, Found, ListChunks, Passages, Search, ShelfCounts, Vectors

EMBED_S_MAX = 30.0  # a provider may take 20 s, after a wait for a place
ROUNDS_MAX = 3  # of one search: what was replaced while the answer was on its way is found again, as what replaced it


async def find_passages(request: ApiRequest, ask: Search) -> Passages:
    """Found in the caller's tenant, now or lately; see ``Inquiries.ask`` for what it raises."""

    async def found() -> Passages:
        for _ in range(ROUNDS_MAX):
            told = await request.ports(KnowledgePorts).index_client.ask(
                ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
            )
            assert isinstance(told, Passages)
            answer = msgspec.structs.replace(told, passages=await _filter_visible(request, told.passages))
            if len(answer.passages) == len(told.passages):
                break
        return answer

    return await request.ports(KnowledgePorts).search_cache.search(request.user.tenant, ask, found)


async def list_chunks(request: ApiRequest, ask: ListChunks) -> Chunks:
    """Of a document in the caller's tenant; see ``Inquiries.ask`` for what it raises."""

    async def listed() -> Chunks:
        told = await request.ports(KnowledgePorts).index_client.ask(
            ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
        )
        assert isinstance(told, Chunks)
        return told

    return await request.ports(KnowledgePorts).search_cache.content(request.user.tenant, ask, listed)


async def embed_texts(request: ApiRequest, ask: Embed) -> Vectors:
    """Of the embedding that indexes are made with; see ``Inquiries.ask`` for what it raises."""
    made = await request.ports(KnowledgePorts).index_client.ask(
        ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent, timeout_s=EMBED_S_MAX
    )
    assert isinstance(made, Vectors)
    return made


async def count_points(request: ApiRequest, ask: CountShelves) -> tuple[int, ...]:
    """How many the builds of an index have, in the caller's tenant; see ``Inquiries.ask`` for what it raises."""
    counted = await request.ports(KnowledgePorts).index_client.ask(
        ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
    )
    assert isinstance(counted, ShelfCounts)
    return counted.points


def _new_id(request: ApiRequest) -> str:
    """Another one for every request, repeats with the same ``Idempotency-Key`` included: each waits for an answer of its own."""
    return str(UUID(bytes=request.core.random_bytes(16), version=4))


async def _filter_visible(request: ApiRequest, found: Sequence[Found]) -> tuple[Found, ...]:
    """What was taken back while the answer was on its way goes; with Redis down the agent's own look a moment ago has to do."""
    keys = [ids.document_key(request.user.tenant, each.knowledge_base_id, each.document_id) for each in found]
    if not keys:
        return ()
    try:
        standing = await request.core.visibility.version_states(list(dict.fromkeys(keys)))
    except Unavailable:
        return tuple(found)
    return tuple(each for key, each in zip(keys, found, strict=True) if standing[key].is_visible(each.version))
