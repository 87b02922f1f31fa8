"""Delivers what is due: the endpoints of this worker's partitions, each with a queue and a limit of its own.

An attempt is a task; nothing else waits for it. An endpoint has few attempts at once, one while it fails, and all failing endpoints
together have half of the worker's, so that receivers which hang cost the others nothing. A delivery is claimed for longer than an attempt
may take: if this process dies it is tried again, with the same ``webhook-id``.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from adapters.webhooks.signatures import signed_headers
from domain.notices.delivery_queue import DeliveryQueue, EndpointKey
from domain.notices.records import DELIVERIES, TENANT_WEBHOOKS
from domain.notices.retry_schedule import NextStep, next_step
from domain.notices.settings import WebhookSettings
from domain.notices.topics import DELIVERIES_CHANGED, WEBHOOKS_CHANGED
from domain.notices.webhook_secrets import WebhookSecrets
from schemas import ids
from schemas.notices import (
    DeliveryAttempt,
    DeliveryChanged,
    DeliveryState,
    EndpointAnswer,
    Webhook,
    WebhookChanged,
    WebhookDelivery,
)
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.runtime.timer_loop import TimerLoop
from streams.runtime.timers import ms_of
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

NAME = "deliver"
CLAIMED_S = 30.0  # beyond the time limit of an attempt: reading the body, publishing its result
ENDPOINTS_MAX = 256  # of one partition looked at in a round
ATTEMPTS_KEPT = 12  # of a delivery, the newest
BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[EndpointAnswer]]

log = structlog.get_logger(__name__)


class Deliverer:
    """``post`` sends one request and never raises. ``jitter`` is random, 0 to 1. ``loop`` runs it."""

    def __init__(
        self,
        settings: WebhookSettings,
        queue: DeliveryQueue,
        tables: Tables,
        records: RecordWriter,
        secrets: WebhookSecrets,
        post: Post,
        clock: Clock,
        *,
        random_bytes: Callable[[int], bytes],
        jitter: Callable[[], float] = random.random,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._settings, self._queue, self._records, self._secrets, self._post = settings, queue, records, secrets, post
        self._deliveries, self._webhooks = tables.of(DELIVERIES), tables.of(TENANT_WEBHOOKS)
        self._clock, self._random_bytes, self._jitter = clock, random_bytes, jitter
        self._running: dict[EndpointKey, set[str]] = {}
        self._failing: set[EndpointKey] = set()  # of those that run
        self.loop = TimerLoop("deliverer", self._take_over, self._serve_partition)
        self._outcomes = Counter(
            "claw_webhook_deliveries", "Attempts to deliver a message, by what followed.", ("outcome",), registry=registry
        )
        self._seconds = Histogram(
            "claw_webhook_attempt_seconds",
            "Duration of attempts, by the class of the answer.",
            ("answer",),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._open = Gauge("claw_webhook_attempts_running", "Attempts under way.", registry=registry)
        self._disabled = Counter(
            "claw_webhooks_disabled", "Webhooks that were switched off, by the reason.", ("reason",), registry=registry
        )

    async def _serve_partition(self, partition: int, token: int) -> int:
        """Begin what is due; returns how many attempts began."""
        endpoints = await self._queue.claim_endpoints(partition, token, ms_of(self._clock.now()), ENDPOINTS_MAX)
        return sum([await self._serve(endpoint, token) for endpoint in endpoints])

    async def _take_over(self, partition: int) -> int:
        return await self._queue.take_over(partition, self._clock.now())

    async def _serve(self, endpoint: EndpointKey, token: int) -> int:
        """Begin as many attempts at the endpoint as it may have."""
        webhook = await self._webhooks.get(endpoint.tenant, endpoint.webhook_id)
        is_failing = webhook is not None and webhook.failing_since is not None
        free = self._free_slots(endpoint, is_failing=is_failing)
        if free <= 0:
            return 0  # the end of an attempt wakes it, or the next look
        now_ms = ms_of(self._clock.now())
        again_at_ms = now_ms + int((self._settings.timeout_s + CLAIMED_S) * 1000)
        claimed = await self._queue.claim(endpoint, token, now_ms, again_at_ms=again_at_ms, limit=free)
        for delivery_id in claimed:
            self._begin(endpoint, delivery_id, webhook, is_failing=is_failing)
        if len(claimed) < free:
            await self._queue.rest(endpoint)
        return len(claimed)

    def _free_slots(self, endpoint: EndpointKey, *, is_failing: bool) -> int:
        used = sum(map(len, self._running.values()))
        own = len(self._running.get(endpoint, ()))
        if not is_failing:
            return min(self._settings.endpoint_concurrency - own, self._settings.concurrency - used)
        room = self._settings.concurrency // 2 - sum(len(self._running[each]) for each in self._failing)
        return min(1 - own, room)

    def _begin(self, endpoint: EndpointKey, delivery_id: str, webhook: Webhook | None, *, is_failing: bool) -> None:
        if delivery_id in self._running.get(endpoint, ()):
            return  # it takes longer than it was claimed for, and ends by itself
        self._running.setdefault(endpoint, set()).add(delivery_id)
        if is_failing:
            self._failing.add(endpoint)
        self._open.inc()
        work = self._attempt(endpoint, delivery_id, webhook)
        self.loop.spawn(work, lambda: self._end(endpoint, delivery_id))

    def _end(self, endpoint: EndpointKey, delivery_id: str) -> None:
        self._open.dec()
        running = self._running[endpoint]
        running.discard(delivery_id)
        if not running:
            del self._running[endpoint]
            self._failing.discard(endpoint)

    async def _attempt(self, endpoint: EndpointKey, delivery_id: str, webhook: Webhook | None) -> None:
        """One attempt and what follows from it. Raises Unavailable: it is claimed again, and made again."""
        delivery = await self._deliveries.get(endpoint.webhook_id, delivery_id)
        if webhook is None or delivery is None or delivery.state != "pending" or delivery.next_at is None:
            await self._queue.settle(endpoint, delivery_id, None)
        elif delivery.next_at > self._clock.now():
            await self._queue.settle(endpoint, delivery_id, delivery.next_at)
        elif webhook.disabled:
            await self._publish(msgspec.structs.replace(delivery, state="skipped", next_at=None, ended_at=self._clock.now()))
            await self._queue.settle(endpoint, delivery_id, None)
            self._outcomes.labels("skipped").inc()
        else:
            await self._deliver(endpoint, delivery, webhook)
        await self._queue.wake(endpoint, 0)

    async def _deliver(self, endpoint: EndpointKey, delivery: WebhookDelivery, webhook: Webhook) -> None:
        begun_at, begun_s, body = self._clock.now(), self._clock.monotonic_s(), delivery.payload.encode()
        try:
            headers = signed_headers(self._secrets.open(webhook, begun_at), delivery.id, begun_at, body)
        except ValueError:
            answer = EndpointAnswer(error="the secret cannot be decrypted: rotate it")
        else:
            answer = await self._post(webhook.url, body, headers)
        duration_s = max(0.0, self._clock.monotonic_s() - begun_s)
        step = next_step(delivery.tries + 1, webhook.failing_since, answer, self._clock.now(), self._jitter())
        attempt = DeliveryAttempt(
            at=begun_at, status=answer.status, duration_ms=round(duration_s * 1000), error=answer.error, answer=answer.text
        )
        await self._publish(_add_attempt(delivery, attempt, step, self._clock.now()))
        await self._queue.settle(endpoint, delivery.id, step.next_at)
        await self._record_health(webhook, step)
        self._outcomes.labels("retried" if step.state == "pending" else step.state).inc()
        self._seconds.labels(f"{answer.status // 100}xx" if answer.status else "none").observe(duration_s)

    async def _publish(self, delivery: WebhookDelivery) -> None:
        event = DeliveryChanged(
            id=ids.derive("delivery", delivery.webhook_id, delivery.id, delivery.replays, delivery.tries, delivery.state),
            source=f"/claw/{NAME}",
            subject=delivery.id,
            time=self._clock.now(),
            tenant=delivery.tenant,
            traceparent=new_traceparent(self._random_bytes),
            data=delivery,
        )
        await self._records.change(Outgoing(DELIVERIES_CHANGED, event, key=delivery.webhook_id))

    async def _record_health(self, webhook: Webhook, step: NextStep) -> None:
        """Write when the endpoint began to fail, recovered, or is switched off; most attempts change nothing."""
        if (webhook.failing_since is None) == (step.failing_since is None) and not step.disable:
            return
        async with self._records.lease(f"webhook/{webhook.id}"):
            present = await self._webhooks.get(webhook.tenant, webhook.id)
            if present is None or present.disabled:
                return
            failing_since = step.failing_since and (present.failing_since or step.failing_since)
            if failing_since == present.failing_since and not step.disable:
                return
            now = self._clock.now()
            changed = msgspec.structs.replace(
                present, failing_since=failing_since, disabled=step.disable, updated_at=now, revision=present.revision + 1
            )
            event = WebhookChanged(
                id=ids.derive("webhook", changed.id, changed.revision),
                source=f"/claw/{NAME}",
                subject=changed.id,
                time=now,
                tenant=changed.tenant,
                traceparent=new_traceparent(self._random_bytes),
                data=changed,
            )
            await self._records.change(Outgoing(WEBHOOKS_CHANGED, event))
        if step.disable:
            self._disabled.labels(step.disable).inc()
            log.warning("webhook_disabled", webhook=webhook.id, tenant=webhook.tenant, reason=step.disable)


def _add_attempt(delivery: WebhookDelivery, attempt: DeliveryAttempt, step: NextStep, now: datetime) -> WebhookDelivery:
    state: DeliveryState = step.state
    return msgspec.structs.replace(
        delivery,
        state=state,
        tries=delivery.tries + 1,
        attempts=(*delivery.attempts, attempt)[-ATTEMPTS_KEPT:],
        next_at=step.next_at,
        ended_at=None if state == "pending" else now,
    )
