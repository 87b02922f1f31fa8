"""Requests to the agents that hold the index, with tenant and trace; passages are checked against the visibility record again."""

from collections.abc import Sequence

import msgspec

from api.http.request import ApiRequest
from api.knowledge.ports import KnowledgePorts
from schemas import ids
from schemas.errors import Unavailable
from schemas.requests import Chunks, CountShelves, Embed, Found, ListChunks, Passages, Search, ShelfCounts, Vectors

EMBED_S_MAX = 30.0  # a provider may take 20 s, after a wait for a permit
ROUNDS_MAX = 3  # of one search: documents replaced meanwhile are found again in their new version


async def find_passages(request: ApiRequest, ask: Search) -> Passages:
    """Passages of the caller's tenant, searched or cached. Raises like ``IndexClient.ask``."""

    async def search() -> Passages:
        for _ in range(ROUNDS_MAX):
            reply = await request.ports(KnowledgePorts).index_client.ask(
                ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
            )
            assert isinstance(reply, Passages)
            visible = msgspec.structs.replace(reply, passages=await _filter_visible(request, reply.passages))
            if len(visible.passages) == len(reply.passages):
                break
        return visible

    return await request.ports(KnowledgePorts).search_cache.search(request.user.tenant, ask, search)


async def list_chunks(request: ApiRequest, ask: ListChunks) -> Chunks:
    """Chunks of a document in the caller's tenant. Raises like ``IndexClient.ask``."""

    async def read() -> Chunks:
        reply = await request.ports(KnowledgePorts).index_client.ask(
            ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
        )
        assert isinstance(reply, Chunks)
        return reply

    return await request.ports(KnowledgePorts).search_cache.content(request.user.tenant, ask, read)


async def embed_texts(request: ApiRequest, ask: Embed) -> Vectors:
    """Vectors of the model that indexes are built with. Raises like ``IndexClient.ask``."""
    vectors = await request.ports(KnowledgePorts).index_client.ask(
        ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent, timeout_s=EMBED_S_MAX
    )
    assert isinstance(vectors, Vectors)
    return vectors


async def count_points(request: ApiRequest, ask: CountShelves) -> ShelfCounts:
    """The numbers of points in each build of an index, in the caller's tenant. Raises like ``IndexClient.ask``."""
    counts = await request.ports(KnowledgePorts).index_client.ask(
        ask, request_id=_new_id(request), tenant=request.user.tenant, traceparent=request.traceparent
    )
    assert isinstance(counts, ShelfCounts)
    return counts


def _new_id(request: ApiRequest) -> str:
    """A new id for every request, repeats with the same ``Idempotency-Key`` included: each waits for its own reply."""
    return ids.random_id(request.core.random_bytes)


async def _filter_visible(request: ApiRequest, found: Sequence[Found]) -> tuple[Found, ...]:
    """Without passages whose version was replaced or deleted meanwhile; while Redis is down the agent's own check has to do."""
    keys = [ids.document_key(request.user.tenant, each.knowledge_base_id, each.document_id) for each in found]
    if not keys:
        return ()
    try:
        standing = await request.core.visibility.version_states(list(dict.fromkeys(keys)))
    except Unavailable:
        return tuple(found)
    return tuple(each for key, each in zip(keys, found, strict=True) if standing[key].is_visible(each.version))
