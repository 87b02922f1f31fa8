"""Search in the active collection of each knowledge base, over visible versions only.

A hit whose version is not the visible one is dropped. When that happens the index is searched once more, and deeper: a switch of versions
is under way, and points of versions that are not visible have taken the places of others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from adapters.embedders.query import EncodedQuery, QueryEncoder
from adapters.index.fusion import Candidate, RankedQuestion, rank
from adapters.index.port import Hit, Query, VectorIndex, heading_of
from adapters.text.sparse import Background
from domain.documents.visibility import VisibilitySource
from domain.indexes.catalogue import IndexPlans
from domain.retrieval.vector_cache import VectorCache
from schemas import ids
from schemas.settings import RetrievalSettings
from streams.live import Live

DEPTH_FACTOR = 4  # times the candidates when hits had to be dropped
CANDIDATES_MAX = 500  # of one leg, however deep


@dataclass(frozen=True, slots=True)
class Engine:
    """An index, and what encodes questions as its points are encoded."""

    index: VectorIndex
    encoder: QueryEncoder


EngineOf = Callable[[str], Awaitable[Engine]]  # by ``Shelf.engine``; "" is that of the settings. Raises Unavailable or ConfigurationError


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Visible hits, best first, by knowledge base id; the query's keywords."""

    keywords: tuple[str, ...]
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class SearchService:
    """``candidates`` hits of each leg are fused, as ``meaning_weight`` says. Everything raises Unavailable."""

    engine_of: EngineOf
    visibility: VisibilitySource
    plans: IndexPlans
    retrieval: Live[RetrievalSettings]
    vectors: VectorCache | None = None  # of questions that were embedded before

    async def search(
        self, tenant: str, knowledge_bases: Sequence[str], text: str, limit: int, *, background: Background = ()
    ) -> SearchResult:
        """The best ``limit`` passages for ``text``, with the conversation before it as background."""
        names: dict[str, list[str]] = {}  # of collections, by engine
        for knowledge_base in dict.fromkeys(knowledge_bases):
            collection = self.plans.plan(tenant, knowledge_base).active
            names.setdefault(collection.engine, []).append(ids.collection_name(knowledge_base, collection.generation))
        if not names:
            names[""] = []  # there are no hits, but the query has keywords
        asked = _SearchRequest(tenant, text, limit, background)
        parts = await asyncio.gather(*(self._search_engine(asked, each, embedding) for embedding, each in names.items()))
        encoded, hits = parts[0]
        if len(parts) > 1:
            question = weight_dense(min((each.question for each, _ in parts), key=_say_of_dense), self.retrieval.value.meaning_weight)
            hits = merge_rankings([each for _, each in parts], question)
        return SearchResult(encoded.keywords, tuple(hits[:limit]))

    async def chunks(self, tenant: str, knowledge_base: str, document: str, version: int, *, first: int, limit: int) -> list[Hit]:
        """Chunks of a version by ordinal, whether readers may see it or not: that is the caller's to check, afterwards."""
        collection = self.plans.plan(tenant, knowledge_base).active
        engine = await self.engine_of(collection.engine)
        name = ids.collection_name(knowledge_base, collection.generation)
        return await engine.index.chunks(tenant, name, document, version, first=first, limit=limit)

    async def _search_engine(self, asked: "_SearchRequest", names: list[str], embedding: str) -> tuple[EncodedQuery, list[Hit]]:
        engine = await self.engine_of(embedding)
        embed = None if self.vectors is None else partial(self.vectors.of, asked.tenant)
        encoded = await engine.encoder.encode(asked.text, asked.background, embed)
        return encoded, await self._search_visible(engine.index, _build_query(asked, names, encoded, self.retrieval.value))

    async def _search_visible(self, index: VectorIndex, query: Query) -> list[Hit]:
        found = await index.search(query)
        visible = await self._filter_visible(query.tenant, found)
        if len(visible) < len(found):
            candidates = min(query.candidates * DEPTH_FACTOR, CANDIDATES_MAX)
            visible = await self._filter_visible(
                query.tenant, await index.search(replace(query, limit=2 * candidates, candidates=candidates))
            )
        return visible[: query.limit]

    async def _filter_visible(self, tenant: str, hits: Sequence[Hit]) -> list[Hit]:
        if not hits:
            return []
        keys = [ids.document_key(tenant, hit.knowledge_base_id, hit.document_id) for hit in hits]
        states = await self.visibility.version_states(list(dict.fromkeys(keys)))
        return [hit for key, hit in zip(keys, hits, strict=True) if states[key].is_visible(hit.version)]


@dataclass(frozen=True, slots=True)
class _SearchRequest:
    """One search."""

    tenant: str
    text: str
    limit: int
    background: Background


def _build_query(asked: _SearchRequest, names: Sequence[str], encoded: EncodedQuery, retrieval: RetrievalSettings) -> Query:
    return Query(
        tenant=asked.tenant,
        collections=tuple(names),
        sparse=encoded.sparse,
        dense=encoded.dense,
        limit=asked.limit,
        candidates=max(asked.limit, retrieval.candidates),
        question=weight_dense(encoded.question, retrieval.meaning_weight),
        second=encoded.second,
    )


def weight_dense(question: RankedQuestion, factor: float) -> RankedQuestion:
    """The question with ``factor`` times the weight of the dense leg."""
    weight = question.dense_weight
    return replace(question, dense_weight=replace(weight, least=weight.least * factor, rise=weight.rise * factor))


def merge_rankings(parts: Sequence[Sequence[Hit]], question: RankedQuestion) -> list[Hit]:
    """Hits of several engines as one ranking: lexical scores compare as they are, cosines of two models only as shares of the best."""
    hits = {hit.id: hit for part in parts for hit in part}
    dense: dict[str, float] = {}
    for part in parts:
        best = max((hit.dense for hit in part), default=0.0)
        dense.update((hit.id, hit.dense / best) for hit in part if best > 0)
    candidates = [
        Candidate(hit.id, heading_of(hit.title, hit.headings), hit.text, hit.bm25, dense.get(hit.id, 0.0)) for hit in hits.values()
    ]
    return [replace(hits[key], score=score) for key, score in rank(candidates, question)]


def _say_of_dense(question: RankedQuestion) -> tuple[float, float]:
    return question.dense_weight.rise, question.dense_weight.least
