"""The cache of searches and of documents' chunks; every read is checked against the visibility record."""

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

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class SearchCache:
    """The scenarios that the API caches."""

    cache: RedisCache
    searches: ScenarioCache[Passages]
    contents: ScenarioCache[Chunks]
    visibility: Visibility
    shelves: CollectionCatalogue

    @classmethod
    def of(cls, cache: RedisCache, visibility: Visibility, shelves: CollectionCatalogue) -> "SearchCache":
        """The caches of both scenarios."""
        return cls(cache, cache.of("retrieval", Passages), cache.of("document_content", Chunks), visibility, shelves)

    async def search(self, tenant: str, ask: Search, compute: Compute[Passages]) -> Passages:
        """Cached until one of its knowledge bases changes; never returns a passage that is no longer visible."""
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
        """Cached per version; its visibility is checked on every read."""
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

    def _collection_key(self, tenant: str, base: str) -> str:
        """The build in use: another build has other chunks, and so other entries."""
        active = self.shelves.plan(tenant, base).active
        return f"{active.generation}{active.embedding}"

    async def _all_visible(self, versions: Iterable[tuple[str, int]]) -> bool:
        """Whether all of these versions are visible now; False while Redis is down."""
        wanted = dict(versions)
        try:
            standing = await self.visibility.version_states(list(wanted))
        except Unavailable:
            return False
        return all(standing[key].is_visible(version) for key, version in wanted.items())
