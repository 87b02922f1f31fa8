"""Outdated indexes: collections whose points lie in an index that the settings do not lead to any more.

An index is named for its embedding and its encoding of terms. When a release or a setting changes either, the points are still in the index
of the old name: at the start of a process that holds indexes such collections are found, and their plans say from then on where the points
are. So they stay readable, and the reindexer replaces them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.engines import Engines
from domain.indexes.plans import PlanWriter, locate
from schemas import ids
from schemas.documents import Shelf
from schemas.errors import ConfigurationError, Unavailable

NAME = "index"  # the author of its changes to plans
ATTEMPTS, PAUSE_S = 30, 1.0  # while Kafka, Redis or the index is out of reach; then the process ends, and is started again

log = structlog.get_logger(__name__)


class OutdatedIndexes:
    """``list_indexes`` gives the names of all indexes; ``remove`` removes one that is empty."""

    def __init__(
        self,
        engines: Engines,
        catalogue: CollectionCatalogue,
        plans: PlanWriter,
        list_indexes: Callable[[], Awaitable[Sequence[str]]],
        remove: Callable[[str], Awaitable[None]],
    ) -> None:
        self._engines, self._catalogue, self._plans = engines, catalogue, plans
        self._list_indexes, self._remove = list_indexes, remove

    async def start(self) -> None:
        """Returns when every collection can be read where it is. Raises Unavailable after half a minute of attempts."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._locate_all()
                break
            except Unavailable as error:
                if attempt == ATTEMPTS:
                    raise
                log.info("outdated_indexes_not_read", code=error.code, detail=error.detail)
                await asyncio.sleep(PAUSE_S)

    async def stop(self) -> None:
        """Nothing runs."""

    async def _locate_all(self) -> None:
        for name in await self._list_indexes():
            if name != self._engines.index_of(""):
                try:
                    await self._locate_collections(name)
                except ConfigurationError as error:  # of no known embedding, or unreadable: no reason to answer nobody
                    log.warning("outdated_index_unreadable", index=name, detail=error.detail)

    async def _locate_collections(self, name: str) -> None:
        found = await (await self._engines.get(name)).index.collections()
        for tenant, collection in found:
            knowledge_base, generation = ids.knowledge_base_of(collection), ids.generation_of(collection)
            plan = self._catalogue.plan(tenant, knowledge_base)
            shelf = next((each for each in (plan.active, plan.other) if each is not None and each.generation == generation), None)
            if shelf is not None and not shelf.index and not await self._is_elsewhere(shelf, tenant, collection, name):
                await self._plans.change(tenant, knowledge_base, locate(generation, name), by=NAME)
                log.warning("index_outdated", index=name, tenant=tenant, knowledge_base=knowledge_base, generation=generation)
        if not found:
            await self._engines.close(name)
            await self._remove(name)

    async def _is_elsewhere(self, shelf: Shelf, tenant: str, collection: str, name: str) -> bool:
        """Whether the collection is where its plan leads, so that these points are left over."""
        try:
            home = self._engines.index_of(shelf.engine)
            return home == name or await (await self._engines.get(shelf.engine)).index.count_collection(tenant, collection) > 0
        except ConfigurationError:  # a provider that is not set up any more
            return False
