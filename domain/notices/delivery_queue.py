"""The queues of webhooks: a durable timer per delivery in the queue of its endpoint, and one per endpoint that says when to look at it.

An endpoint with thousands of messages is one entry among the endpoints of its partition, so none waits behind another's messages. Both
follow the log in any order and with any repeats: a timer that is wrong is found when it is due, because the delivery's record decides.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from adapters.redis.client import RedisClient
from schemas.notices import WebhookDelivery
from streams.runtime.timers import Timer, Timers, TimerSetting, move_settings, ms_of

ENDPOINTS_MAX = 1_000_000  # of one partition that have messages waiting
LOOK_MS = 1_000  # an endpoint that was claimed is looked at again after this at the latest, should its worker die
FAR_MS = 1 << 45  # after every time


class EndpointKey(NamedTuple):
    """An endpoint, and the partition of its deliveries."""

    tenant: str
    webhook_id: str
    partition: int

    @property
    def id(self) -> str:
        """Its name among the timers of endpoints."""
        return f"{self.tenant}/{self.webhook_id}"


class DeliveryQueue:
    """``pending_max``: messages that wait for one endpoint. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str, pending_max: int) -> None:
        self._redis, self._prefix, self._pending_max = redis, prefix, pending_max
        self._endpoints = Timers(redis, prefix, "webhooks", entries_max=ENDPOINTS_MAX)

    async def apply_many(self, deliveries: Sequence[tuple[WebhookDelivery, int]]) -> list[WebhookDelivery]:
        """Set the timers of deliveries, given with their partitions. Returns those that no longer fit into their endpoint's queue."""
        by_endpoint: dict[EndpointKey, list[WebhookDelivery]] = {}
        for delivery, partition in deliveries:
            by_endpoint.setdefault(EndpointKey(delivery.tenant, delivery.webhook_id, partition), []).append(delivery)
        refused: list[WebhookDelivery] = []
        for endpoint, some in by_endpoint.items():
            if await self._of(endpoint).set_many([setting for each in some for setting in _settings(each, endpoint.partition)]):
                refused += [each for each in some if await self._of(endpoint).set_many(_settings(each, endpoint.partition))]
            if any(each.next_at is not None for each in some):
                await self.wake(endpoint, 0)
        return refused

    async def take_over(self, partition: int, at: datetime) -> int:
        """The token to claim with in this partition; tokens taken earlier end."""
        return await self._endpoints.take_over(partition, ms_of(at))

    async def claim_endpoints(self, partition: int, token: int, now_ms: int, limit: int) -> list[EndpointKey]:
        """Endpoints to look at now. Raises Superseded when the token has ended."""
        due = await self._endpoints.claim(partition, token, before_ms=now_ms + 1, again_at_ms=now_ms + LOOK_MS, limit=limit)
        names = [timer.id.partition("/") for timer in due]
        return [EndpointKey(tenant, webhook_id, partition) for tenant, _, webhook_id in names]

    async def claim(self, endpoint: EndpointKey, token: int, now_ms: int, *, again_at_ms: int, limit: int) -> list[str]:
        """Ids of deliveries that are due; each is due again at ``again_at_ms`` unless it is settled. Raises Superseded."""
        due = await self._of(endpoint).claim(endpoint.partition, token, before_ms=now_ms + 1, again_at_ms=again_at_ms, limit=limit)
        return [timer.id for timer in due]

    async def settle(self, endpoint: EndpointKey, delivery_id: str, next_at: datetime | None) -> None:
        """It was tried: the next time is this one, None for never."""
        await self._of(endpoint).set_many(move_settings(endpoint.partition, delivery_id, None if next_at is None else ms_of(next_at)))

    async def wake(self, endpoint: EndpointKey, at_ms: int) -> None:
        """Look at the endpoint at this time, also if it was to be later."""
        await self._endpoints.set_many(move_settings(endpoint.partition, endpoint.id, at_ms))

    async def rest(self, endpoint: EndpointKey) -> None:
        """Look at the endpoint again when its next delivery is due; never, if there is none."""
        due_ms = await self._next_due_ms(endpoint)
        if due_ms is not None:
            await self._endpoints.repeat(Timer(endpoint.partition, endpoint.id, 0, 0, 0), due_ms)
            return
        await self._endpoints.set_many([TimerSetting(endpoint.partition, endpoint.id, None)])
        if await self._next_due_ms(endpoint) is not None:  # one came in between
            await self.wake(endpoint, 0)

    async def _next_due_ms(self, endpoint: EndpointKey) -> int | None:
        timers = await self._of(endpoint).list_due(endpoint.partition, FAR_MS, 1)
        return timers[0].at_ms if timers else None

    def _of(self, endpoint: EndpointKey) -> Timers:
        return Timers(self._redis, self._prefix, f"webhooks:{endpoint.webhook_id}", entries_max=self._pending_max)


def _settings(delivery: WebhookDelivery, partition: int) -> list[TimerSetting]:
    is_open = delivery.state == "pending" and delivery.next_at is not None
    return move_settings(partition, delivery.id, ms_of(delivery.next_at) if is_open and delivery.next_at else None)
