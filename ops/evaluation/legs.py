"""The results of each leg of the search alone, from the index that a stack has just filled.

The product has no route for a search with one leg, and one process at a time may hold the embedded index: so the stack is stopped first,
and then the index is searched through its port, with questions encoded as in the query service.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from adapters.embedders.query import QueryEncoder
from adapters.index.choose import create_vector_index
from adapters.index.port import Query, VectorIndex
from adapters.models.dialogue.follow_ups import condense_by_rules, search_background
from adapters.text.sparse import SparseVector
from ops.evaluation.pipeline import TENANT, IndexedCorpus
from ops.evaluation.questions import EvaluationQuestion
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Legs:
    """The legs of the index of a stack that has ended."""

    index: VectorIndex
    encoder: QueryEncoder
    candidates: int

    async def search_each(self, corpus: IndexedCorpus, asked: EvaluationQuestion, limit: int) -> tuple[list[str], list[str]]:
        """The passages that BM25 alone finds, and those of the dense leg alone; best first, each once."""
        encoded = await self.encoder.encode(condense_by_rules(asked.text, asked.history), search_background(asked.history))
        query = Query(
            tenant=TENANT,
            collections=(corpus.knowledge_base,),
            sparse=encoded.sparse,
            dense=np.zeros_like(encoded.dense),
            limit=limit,
            candidates=max(limit, self.candidates),
        )
        nothing = SparseVector(encoded.sparse.indices[:0], encoded.sparse.values[:0])
        dense = replace(query, sparse=nothing, dense=encoded.dense, second=encoded.second)
        return await self._search(corpus, query), await self._search(corpus, dense)

    async def _search(self, corpus: IndexedCorpus, query: Query) -> list[str]:
        return corpus.passages_of([hit.document_id for hit in await self.index.search(query)])


@asynccontextmanager
async def legs(settings: Settings, home: Path) -> AsyncIterator[Legs]:
    """The index below ``home``, or on the server of the settings."""
    encoder = QueryEncoder(settings.retrieval)
    there = msgspec.structs.replace(settings, node=msgspec.structs.replace(settings.node, home=home))
    index = create_vector_index(there, model=encoder.embedding_name, dimensions=encoder.dimensions, second=encoder.second)
    await index.start()
    try:
        await encoder.start()
        yield Legs(index, encoder, settings.retrieval.candidates)
    finally:
        await index.stop()
        await encoder.stop()
