"""The index in an erasure: points are removed by the deletion of their documents; whatever is left in a collection is cleared."""

import secrets
from typing import Protocol

from domain.indexes.catalogue import IndexPlans
from domain.retrieval.index_client import IndexClient
from schemas import ids
from schemas.documents import Shelf
from schemas.requests import ClearShelf, CountShelves, ShelfCounts
from schemas.traces import new_traceparent


class IndexPlace(Protocol):
    """The index as an erasure asks it. Methods raise Unavailable."""

    async def count(self, tenant: str, knowledge_base_id: str) -> int:
        """The points of a knowledge base, in every collection of it that there is."""
        ...

    async def clear(self, tenant: str, knowledge_base_id: str) -> int:
        """Remove them; returns how many they were."""
        ...


class AskedIndex:
    """The index behind the query service."""

    def __init__(self, client: IndexClient, plans: IndexPlans) -> None:
        self._client, self._plans = client, plans

    async def count(self, tenant: str, knowledge_base_id: str) -> int:
        """See ``IndexPlace``."""
        shelves = self._shelves(tenant, knowledge_base_id)
        counts = await self._ask(tenant, CountShelves(knowledge_base_id=knowledge_base_id, shelves=shelves))
        return sum(counts.points)

    async def clear(self, tenant: str, knowledge_base_id: str) -> int:
        """See ``IndexPlace``."""
        removed = 0
        for shelf in self._shelves(tenant, knowledge_base_id):
            removed += (await self._ask(tenant, ClearShelf(knowledge_base_id=knowledge_base_id, shelf=shelf, erased=True))).removed
        return removed

    def _shelves(self, tenant: str, knowledge_base_id: str) -> tuple[Shelf, ...]:
        plan = self._plans.plan(tenant, knowledge_base_id)
        return (plan.active,) if plan.other is None else (plan.active, plan.other)

    async def _ask(self, tenant: str, ask: CountShelves | ClearShelf) -> ShelfCounts:
        trace = new_traceparent(secrets.token_bytes)
        result = await self._client.ask(ask, request_id=ids.random_id(secrets.token_bytes), tenant=tenant, traceparent=trace)
        assert isinstance(result, ShelfCounts)
        return result
