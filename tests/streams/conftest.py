"""Worker processes, and pokes for them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from ops.stack.environment import environment_of
from schemas import ids
from schemas.settings import Settings, WorkerSettings
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from streams.topics import DEAD_LETTERS, Topic
from tests.support.poked import OTHER, POKED, Poke, Poked, effect_keys


@dataclass
class Fleet:
    """Worker processes of one installation; logs in ``folder``."""

    settings: Settings
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, lane: str, **environment: str) -> asyncio.subprocess.Process:
        kafka, redis, lanes = self.settings.kafka, self.settings.redis, self.settings.lanes
        given = environment_of(Settings(kafka=kafka, redis=redis), {}) | {
            "CLAW_LANE_SESSION_TIMEOUT_S": str(lanes.session_timeout_s),
            "CLAW_LANE_LEASE_S": str(lanes.lease_s),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
        number = len(self.processes)
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.support.worker",
                lane,
                env=kept | given | self.environment | environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def log(self, process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
        """What a worker logged."""
        path = self.folder / f"worker-{self.processes.index(process)}.log"
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.startswith(b"{") and line.endswith(b"}")]

    async def logged(self, process: asyncio.subprocess.Process, event: str, times: int = 1, timeout_s: float = 30) -> dict[str, Any]:
        """Wait for a log line; returns it."""
        async with asyncio.timeout(timeout_s):
            while len(lines := [line for line in self.log(process) if line.get("event") == event]) < times:
                assert process.returncode is None, f"worker ended: {self.folder}/worker-{self.processes.index(process)}.log"
                await asyncio.sleep(0.05)
        return lines[-1]

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def stop(self, process: asyncio.subprocess.Process, timeout_s: float = 12) -> int:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(timeout_s):
            return await process.wait()


@pytest.fixture
def lane_settings(settings: Settings) -> Settings:
    """Short sessions, so that a killed worker is missed soon."""
    return msgspec.structs.replace(settings, lanes=WorkerSettings(session_timeout_s=6, lease_s=2))


@pytest.fixture
async def fleet(lane_settings: Settings, tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(lane_settings, tmp_path)
    yield fleet
    for process in fleet.processes:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
async def publisher(settings: Settings, topics) -> AsyncIterator[KafkaPublisher]:
    await topics(POKED, OTHER, DEAD_LETTERS)
    publisher = KafkaPublisher(settings.kafka, topics=(POKED, OTHER, DEAD_LETTERS))
    await publisher.start()
    yield publisher
    await publisher.stop()


def poke(key: str, number: int, *, topic: Topic = POKED, **data) -> Outgoing:
    event = Poked(
        id=ids.derive(key, number),
        source="/claw/tests",
        subject=key,
        time=datetime.now(UTC),
        tenant="t",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=Poke(number, **data),
    )
    return Outgoing(topic, event, key)


@dataclass
class Effects:
    """What the agents of the workers did."""

    redis: RedisClient
    prefix: str

    async def counts(self, agent: str) -> dict[str, int]:
        runs, done = await self.redis.hmget(effect_keys(self.prefix, agent, "")[0], "runs", "effects")
        return {"runs": int(runs or 0), "effects": int(done or 0)}

    async def of(self, agent: str, key: str) -> list[int]:
        return [int(number) for number in await self.redis.lrange(effect_keys(self.prefix, agent, key)[2], 0, -1)]

    async def reach(self, agent: str, wanted: int, timeout_s: float = 30) -> dict[str, int]:
        """Wait until an agent has had so many effects."""
        async with asyncio.timeout(timeout_s):
            while (counts := await self.counts(agent))["effects"] < wanted:
                await asyncio.sleep(0.05)
        return counts


@pytest.fixture
def effects(redis: RedisClient, settings: Settings) -> Effects:
    return Effects(redis, settings.redis.key_prefix)


@pytest.fixture
def dead_letters(settings: Settings) -> Callable[[], Awaitable[list[ConsumerRecord]]]:
    """All dead letters there are, read from the log."""

    async def read_all() -> list[ConsumerRecord]:
        topic = settings.kafka.topic_prefix + DEAD_LETTERS.name
        partitions = [TopicPartition(topic, n) for n in range(settings.kafka.partitions)]
        consumer = AIOKafkaConsumer(**connection_options(settings.kafka))
        await consumer.start()
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            letters: list[ConsumerRecord] = []
            while len(letters) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    letters.extend(records)
            return letters
        finally:
            await consumer.stop()

    return read_all


async def committed(settings: Settings, lane: str, topic: Topic = POKED) -> dict[int, int]:
    """What the group of a lane has committed, by partition."""
    admin = AIOKafkaAdminClient(**connection_options(settings.kafka))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(f"{settings.kafka.topic_prefix}claw.{lane}")
    finally:
        await admin.close()
    return {tp.partition: place.offset for tp, place in offsets.items() if tp.topic == settings.kafka.topic_prefix + topic.name}
