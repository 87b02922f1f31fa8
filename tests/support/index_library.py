"""A real index with documents in it, and the visibility records that say what readers see of them."""

from dataclasses import dataclass
from pathlib import Path

from adapters.embedders.query import QueryEncoder
from adapters.index.embedded import EmbeddedIndex
from adapters.index.port import Point
from domain.documents.visibility import Visibility
from domain.retrieval.search import Engine, SearchService
from schemas import ids
from schemas.documents import Locator, Shelf
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.live import Live


class Plans:
    """Plans that a test sets; others are the one shelf of the settings."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], IndexPlan] = {}

    def plan(self, tenant: str, knowledge_base: str) -> IndexPlan:
        return self.known.get((tenant, knowledge_base)) or IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)


@dataclass
class Library:
    """``store`` puts points of a version into the index, ``show`` makes readers see it."""

    engines: dict[str, Engine]
    visibility: Visibility
    plans: Plans
    candidates: int = 30

    @property
    def searching(self) -> SearchService:
        async def engine_of(embedding: str) -> Engine:
            return self.engines[embedding]

        return SearchService(engine_of, self.visibility, self.plans, Live(RetrievalSettings(candidates=self.candidates)))

    async def store(
        self,
        tenant: str,
        base: str,
        document: str,
        version: int,
        *texts: str,
        shelf: Shelf | None = None,
        place: Locator | None = None,
        page: int = 0,
    ) -> None:
        """``place`` is that of every chunk; with ``page`` each stands on a page of its own, the first on this one."""
        shelf = shelf or Shelf()
        engine, key = self.engines[shelf.embedding], ids.document_key(tenant, base, document)
        points = []
        for ordinal, text in enumerate(texts):
            encoded = await engine.encoder.encode(text)
            points.append(
                Point(
                    id=ids.chunk_id(key, version, ordinal, shelf.generation),
                    tenant=tenant,
                    collection=ids.collection_name(base, shelf.generation),
                    document_id=document,
                    version=version,
                    ordinal=ordinal,
                    title=document,
                    headings=("Part",),
                    text=text,
                    dense=encoded.dense,
                    sparse=encoded.sparse,
                    place=Locator(page=page + ordinal) if page else place,
                )
            )
        await engine.index.upsert(points)

    async def show(self, tenant: str, base: str, document: str, version: int) -> None:
        await self.visibility.mark_indexed(ids.document_key(tenant, base, document), version)

    async def add(self, tenant: str, base: str, document: str, version: int, *texts: str) -> None:
        await self.store(tenant, base, document, version, *texts)
        await self.show(tenant, base, document, version)


async def opened_engine(folder: Path) -> Engine:
    """Both its parts are the caller's to close."""
    encoder = QueryEncoder(RetrievalSettings())
    await encoder.start()
    index = EmbeddedIndex(folder, model=encoder.embedding_name, dimensions=encoder.dimensions)
    await index.start()
    return Engine(index, encoder)


async def closed_engine(engine: Engine) -> None:
    await engine.index.stop()
    await engine.encoder.stop()
