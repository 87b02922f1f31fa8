"""What this process keeps of what the index is asked: searches and pages of documents, held against the visibility record on every read."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from schemas import ids
from schemas.errors import Unavailable
from schemas.requests import Chunks, ListChunks, Passages, Search
from streams.cache import RedisCache
from streams.cache.names import knowledge_tag
from streams.cache.scenario_cache import Compute, ScenarioCache
from streams.cache.scenarios import Table

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class SearchCache:
    """One per process."""

    cache: RedisCache
    searches: ScenarioCache[Passages]
    contents: ScenarioCache[Chunks]
    visibility: Visibility
    shelves: CollectionCatalogue

    @classmethod
    def of(cls, cache: RedisCache, visibility: Visibility, shelves: CollectionCatalogue) -> "SearchCache":
        """The scenarios that the API reads."""
        return cls(cache, cache.of("retrieval", Passages), cache.of("document_content", Chunks), visibility, shelves)

    async def search(self, tenant: str, ask: Search, compute: Compute[Passages]) -> Passages:
        """Until anything changes in one of its knowledge bases; never with a passage that readers do not see."""
        bases = sorted(ask.knowledge_base_ids)
        builds = [self._collection_key(tenant, base) for base in bases]
        asked = msgspec.structs.replace(ask, knowledge_base_ids=tuple(bases))
        digest = hashlib.sha256(_encode((builds, asked))).hexdigest()
        key = f"{bases[0] if len(bases) == 1 else 'several'}/{digest}"

        async def visible(found: Passages | None, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
            if found is None or not is_current:
                return False
            return await self._all_visible(
                (ids.document_key(tenant, each.knowledge_base_id, each.document_id), each.version) for each in found.passages
            )

        tags = tuple(knowledge_tag(base) for base in bases)
        found = await self.searches.get_or_compute(tenant, key, compute, tags, accepts=visible)
        assert found is not None
        return found

    async def content(self, tenant: str, ask: ListChunks, compute: Compute[Chunks]) -> Chunks:
        """What a version says never changes; whether readers see it is asked every time."""
        build = self._collection_key(tenant, ask.knowledge_base_id)
        key = "/".join(map(str, (ask.knowledge_base_id, ask.document_id, ask.version, build, ask.first, ask.limit)))
        document = ids.document_key(tenant, ask.knowledge_base_id, ask.document_id)

        async def visible(found: Chunks | None, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
            return found is not None and is_current and await self._all_visible([(document, ask.version)])

        def whole(listed: Chunks | None) -> bool:
            return listed is not None and listed.visible == ask.version

        listed = await self.contents.get_or_compute(tenant, key, compute, accepts=visible, is_storable=whole)
        assert listed is not None
        return listed

    def count_lookup(self, tenant: str, name: Table, *, there: bool) -> None:
        """Count a look into a record table that serves as this scenario's cache; a miss is what is not there at all."""
        self.cache.tally.count(tenant, name, "hit" if there else "miss")

    def _collection_key(self, tenant: str, base: str) -> str:
        """Other chunks, another build: what is kept of one says nothing of the other."""
        active = self.shelves.plan(tenant, base).active
        return f"{active.generation}{active.embedding}"

    async def _all_visible(self, versions: Iterable[tuple[str, int]]) -> bool:
        """Whether readers see all of these at this moment; while nobody can tell, they do not."""
        wanted = dict(versions)
        try:
            standing = await self.visibility.version_states(list(wanted))
        except Unavailable:
            return False
        return all(standing[key].is_visible(version) for key, version in wanted.items())
