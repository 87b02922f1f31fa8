"""Deliveries on a real Redis, under a clock of the test: the schedule, one receiver's trouble, deaths, replays."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from standardwebhooks.webhooks import Webhook as Verifier

from adapters.redis.client import RedisClient
from adapters.webhooks.signatures import new_secret
from domain.notices.deliverer import Deliverer
from domain.notices.delivery_queue import DeliveryQueue
from domain.notices.messages import new_delivery, replay_delivery
from domain.notices.records import DELIVERIES, TENANT_WEBHOOKS
from domain.notices.settings import WebhookSettings
from domain.notices.webhook_secrets import WebhookSecrets
from domain.read_models import ReadModels
from schemas.notices import DeliveryChanged, EndpointAnswer, Webhook, WebhookChanged, WebhookDelivery
from schemas.settings import Settings
from streams.log.outgoing import LogOffset, Outgoing
from streams.tables.record_writer import RecordWriter
from tests.support.ports import RememberingPublisher

pytestmark = pytest.mark.stack
BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)
OK, DOWN, GONE = EndpointAnswer(status=204), EndpointAnswer(error="the connection was refused"), EndpointAnswer(status=410)
SECRET = new_secret(os.urandom)


class HandClock:
    def __init__(self, at: datetime = BEGIN) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()


@dataclass
class Receivers:
    """What endpoints answer, by URL, and every request that came: when, id, whether it was accepted."""

    clock: HandClock
    answers: dict[str, Callable[[datetime], EndpointAnswer]] = field(default_factory=dict)
    requests: dict[str, list[tuple[datetime, str, bool]]] = field(default_factory=lambda: defaultdict(list))
    hanging: set[str] = field(default_factory=set)
    running: int = 0
    most: int = 0
    bodies: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EndpointAnswer:
        self.bodies.append((body, headers))
        if url in self.hanging:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.sleep(3_600)
            finally:
                self.running -= 1
        answer: EndpointAnswer = self.answers.get(url, lambda _: OK)(self.clock.at)
        self.requests[url].append((self.clock.at, headers["webhook-id"], answer.is_accepted))
        return answer

    def accepted(self, url: str) -> list[str]:
        return [message for _, message, was_accepted in self.requests[url] if was_accepted]


class OneLog(RememberingPublisher):
    """Every record has the next offset, whoever writes it."""

    offset = 0

    def next_place(self) -> LogOffset:
        self.offset += 1
        return LogOffset("t", 0, self.offset)

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        self.sent.append(outgoing)
        return self.next_place()


class House:
    """A log that applies what is published, as the agents do, and a deliverer on it."""

    def __init__(self, redis: RedisClient, settings: Settings, webhooks: WebhookSettings) -> None:
        self.clock, self.prefix = HandClock(), settings.redis.key_prefix
        self.receivers = Receivers(self.clock)
        self.tables, self.publisher = ReadModels(redis, self.prefix), OneLog()
        self.queue = DeliveryQueue(redis, self.prefix, webhooks.pending_max)
        self.secrets = WebhookSecrets(settings)
        self.records = RecordWriter(redis, self.prefix, self.publisher, self.tables, self.clock)
        self.settings = webhooks
        self.deliverer = self.new_deliverer()

    def new_deliverer(self) -> Deliverer:
        parts = (self.settings, self.queue, self.tables, self.records, self.secrets, self.receivers.post, self.clock)
        return Deliverer(*parts, random_bytes=os.urandom, jitter=lambda: 0.0, registry=CollectorRegistry())

    async def open(self, name: str, **changes: Any) -> Webhook:
        webhook = Webhook(
            id=name,
            tenant="acme",
            account_id="ada",
            url=f"https://{name}.test/",
            sealed_secret=self.secrets.seal(name, SECRET, os.urandom),
            created_at=self.clock.at,
            updated_at=self.clock.at,
            **changes,
        )
        await self.apply(WebhookChanged, webhook)
        return webhook

    async def apply(self, kind: Any, data: Any) -> None:
        event = kind(id="e", source="/claw/test", subject=data.id, time=self.clock.at, tenant="acme", traceparent="", data=data)
        await self.tables.apply(event, self.publisher.next_place())

    async def send(self, *deliveries: WebhookDelivery) -> list[WebhookDelivery]:
        """As the agent does with what the log says."""
        for delivery in deliveries:
            await self.apply(DeliveryChanged, delivery)
        return await self.queue.apply_many([(delivery, 0) for delivery in deliveries])

    def message(self, webhook: Webhook, number: int) -> WebhookDelivery:
        data = {"number": number}
        return new_delivery(webhook, "document.indexed", self.clock.at, data, id=f"msg_{webhook.id}_{number}", now=self.clock.at)

    async def run(self, until: datetime) -> None:
        """Rounds until this time, jumping to the next one at which something is due."""
        while True:
            begun = await self.deliverer.loop.run_once()
            await self.deliverer.loop.finish(5)
            if begun:
                continue
            pending = [each.next_at for name in self.receivers_ids for each in await self.deliveries(name) if each.next_at]
            self.clock.at = max(self.clock.at + timedelta(seconds=1), min(pending, default=until))
            if self.clock.at >= until:
                self.clock.at = until
                return

    receivers_ids: tuple[str, ...] = ()

    async def deliveries(self, name: str) -> list[WebhookDelivery]:
        return list((await self.tables.of(DELIVERIES).list(name, limit=1_000, newest_first=False)).items)

    async def webhook(self, name: str) -> Webhook | None:
        return await self.tables.of(TENANT_WEBHOOKS).get("acme", name)


@pytest.fixture
async def house(redis, settings) -> House:
    house = House(redis, settings, WebhookSettings(pending_max=100))
    await house.deliverer.loop.take_partition(0)
    return house


async def test_a_receiver_that_is_down_for_ten_minutes_gets_everything_once_in_the_schedules_order(house):
    """Attempts after 0 s, 5 s, 5 min and 30 min: what came while it was down is accepted once, at the next of these times."""
    webhook = await house.open("w")
    house.receivers_ids = ("w",)
    up_at = BEGIN + timedelta(minutes=10)
    house.receivers.answers[webhook.url] = lambda at: OK if at >= up_at else DOWN
    sent = {}
    for number in range(20):
        house.clock.at = BEGIN + timedelta(minutes=number)
        sent[f"msg_w_{number}"] = house.clock.at
        await house.send(house.message(webhook, number))
        await house.run(house.clock.at + timedelta(seconds=59))
    await house.run(BEGIN + timedelta(hours=2))
    assert sorted(house.receivers.accepted(webhook.url)) == sorted(sent), "each exactly once"
    schedule = [timedelta(0), timedelta(seconds=5), timedelta(seconds=305), timedelta(seconds=2_105)]
    for message, asked_at in sent.items():
        tried = [at - asked_at for at, each, _ in house.receivers.requests[webhook.url] if each == message]
        assert all(timedelta(0) <= real - planned < timedelta(seconds=10) for real, planned in zip(tried, schedule, strict=False)), tried
    assert (await house.webhook("w")).failing_since is None, "it recovered"
    states = {each.state for each in await house.deliveries("w")}
    assert states == {"delivered"}


async def test_a_receiver_that_hangs_costs_no_other_delivery_anything(house):
    hanging, healthy = await house.open("a"), await house.open("b")
    house.receivers.hanging.add(hanging.url)
    await house.send(*(house.message(hanging, number) for number in range(60)))
    assert await house.deliverer.loop.run_once() == 4
    await house.send(*(house.message(healthy, number) for number in range(4)))
    await house.deliverer.loop.run_once()
    await asyncio.sleep(0.2)
    assert len(house.receivers.accepted(healthy.url)) == 4
    assert house.receivers.most == 4
    await house.deliverer.loop.finish(0.01)


async def test_failing_endpoints_have_one_attempt_each_and_half_of_all(house, redis, settings):
    house.settings = WebhookSettings(concurrency=4)
    house.deliverer = house.new_deliverer()
    await house.deliverer.loop.take_partition(0)
    for name in "abcde":
        webhook = await house.open(name, failing_since=BEGIN)
        house.receivers.hanging.add(webhook.url)
        await house.send(*(house.message(webhook, number) for number in range(3)))
    healthy = await house.open("h")
    await house.send(house.message(healthy, 1))
    await house.deliverer.loop.run_once()
    await asyncio.sleep(0.2)
    assert house.receivers.most == 2
    assert house.receivers.accepted(healthy.url) == ["msg_h_1"]
    await house.deliverer.loop.finish(0.01)


async def test_410_ends_the_subscription_and_a_replay_can_send_what_it_missed(house):
    webhook = await house.open("w")
    house.receivers_ids = ("w",)
    house.receivers.answers[webhook.url] = lambda _: GONE
    await house.send(house.message(webhook, 1))
    await house.run(BEGIN + timedelta(seconds=1))
    assert (await house.webhook("w")).disabled == "gone"
    await house.send(house.message(webhook, 2))  # on its way when it was switched off
    await house.run(BEGIN + timedelta(seconds=10))
    assert [each.state for each in await house.deliveries("w")] == ["failed", "skipped"]
    assert len(house.receivers.requests[webhook.url]) == 1
    del house.receivers.answers[webhook.url]
    await house.apply(WebhookChanged, msgspec.structs.replace(await house.webhook("w"), disabled="", failing_since=None))
    asked = (await house.deliveries("w"))[1]
    await house.send(replay_delivery(asked, house.clock.at))
    await house.run(house.clock.at + timedelta(seconds=5))
    assert house.receivers.accepted(webhook.url) == ["msg_w_2"], "exactly the one that was asked for, under its id"


async def test_five_days_of_failure_switch_the_webhook_off(house):
    webhook = await house.open("w")
    house.receivers_ids = ("w",)
    house.receivers.answers[webhook.url] = lambda _: EndpointAnswer(status=500)
    await house.send(house.message(webhook, 1))
    await house.run(BEGIN + timedelta(days=4))
    (first,) = await house.deliveries("w")
    assert (first.state, first.tries, (await house.webhook("w")).disabled) == ("failed", 10, "")
    house.clock.at = BEGIN + timedelta(days=5)
    await house.send(house.message(webhook, 2))
    await house.run(house.clock.at + timedelta(seconds=4))
    changes = [each.data for each in house.publisher.events() if isinstance(each, WebhookChanged)]
    assert [change.disabled for change in changes] == ["", "failing"], "began to fail; was switched off"


async def test_a_death_in_an_attempt_repeats_it_elsewhere_under_its_id(house):
    """The new owner of the partition sends it when the claim has run out; the old one claims nothing any more."""
    webhook = await house.open("w")
    house.receivers.hanging.add(webhook.url)
    await house.send(house.message(webhook, 1))
    assert await house.deliverer.loop.run_once() == 1
    await asyncio.sleep(0.05)
    await house.deliverer.loop.finish(0)  # killed
    dead, house.deliverer = house.deliverer, house.new_deliverer()
    await house.deliverer.loop.take_partition(0)
    house.receivers.hanging.clear()
    assert await house.deliverer.loop.run_once() == 0
    house.clock.at += timedelta(seconds=house.settings.timeout_s + 31)
    assert await dead.loop.run_once() == 0
    assert await house.deliverer.loop.run_once() == 1
    await house.deliverer.loop.finish(5)
    assert house.receivers.accepted(webhook.url) == ["msg_w_1"]


async def test_a_repeat_of_what_was_delivered_sends_nothing(house):
    webhook = await house.open("w")
    asked = house.message(webhook, 1)
    house.receivers_ids = ("w",)
    for _ in range(3):
        await house.send(asked)
        await house.run(house.clock.at + timedelta(seconds=5))
    assert house.receivers.accepted(webhook.url) == ["msg_w_1"]


async def test_what_does_not_fit_into_the_queue_is_named(house):
    webhook = await house.open("w")
    refused = await house.send(*(house.message(webhook, number) for number in range(103)))
    assert [each.id for each in refused] == ["msg_w_100", "msg_w_101", "msg_w_102"]


async def test_a_deleted_webhook_gets_nothing_and_leaves_nothing(house):
    webhook = await house.open("w")
    await house.send(house.message(webhook, 1))
    await house.apply(WebhookChanged, msgspec.structs.replace(webhook, deleted=True))
    await house.run(BEGIN + timedelta(seconds=5))
    assert house.receivers.requests == {}
    assert await house.deliveries("w") == []


async def test_the_specifications_library_verifies_what_is_sent_with_both_secrets_of_a_rotation(house):
    house.clock.at = datetime.now(UTC)
    newer = new_secret(os.urandom)
    webhook = await house.open("w")
    rotated = msgspec.structs.replace(
        webhook,
        sealed_secret=house.secrets.seal("w", newer, os.urandom),
        previous_secret=webhook.sealed_secret,
        previous_until=house.clock.at + timedelta(days=1),
    )
    await house.apply(WebhookChanged, rotated)
    await house.send(house.message(webhook, 1))
    await house.deliverer.loop.run_once()
    await house.deliverer.loop.finish(5)
    ((body, headers),) = house.receivers.bodies
    for secret in (SECRET, newer):
        message = Verifier(secret).verify(body, dict(headers))
        assert (message["type"], message["data"]) == ("document.indexed", {"number": 1})
        assert message.keys() == {"type", "timestamp", "data"}
