"""An installation with an eraser, whose agents are played by the test."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.blobs import BlobStore
from domain.areas import TOPICS
from domain.documents.visibility import Visibility
from domain.eraser.eraser import Check, Eraser
from domain.eraser.schedule import ErasureSchedule
from domain.eraser.terms import ErasureTerms, TermCipher
from domain.erasures.timing import erasure_timers
from domain.read_models import ReadModels
from ops.commands import topics as administration
from schemas.erasures import Erasure, PlaceResult
from schemas.events import Event
from schemas.settings import Settings
from streams.log.outgoing import LogOffset, Outgoing
from streams.tables.record_writer import RecordWriter
from streams.topics import Topic
from tests.support.recorded_house import House, opened_house


@dataclass
class MovedClock:
    """A clock that the test moves."""

    moved_s: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.moved_s)

    def monotonic_s(self) -> float:
        return self.now().timestamp()


@dataclass
class PlainIndex:
    """The points of knowledge bases, as numbers."""

    points: dict[tuple[str, str], int] = field(default_factory=dict)

    async def count(self, tenant: str, knowledge_base_id: str) -> int:
        return self.points.get((tenant, knowledge_base_id), 0)

    async def clear(self, tenant: str, knowledge_base_id: str) -> int:
        return self.points.pop((tenant, knowledge_base_id), 0)


@dataclass
class Erasing:
    """The installation; ``schedule`` makes the schedule of another worker."""

    house: House
    tables: ReadModels
    records: RecordWriter
    blobs: BlobStore
    index: PlainIndex
    clock: MovedClock
    eraser: Eraser

    @property
    def visibility(self) -> Visibility:
        return Visibility(self.house.redis, self.house.prefix)

    def schedule(self) -> ErasureSchedule:
        timers = erasure_timers(self.house.redis, self.house.prefix)
        return ErasureSchedule(self.house.settings, self.eraser, timers, self.tables, self.records, self.clock)

    def erasure(self, tenant: str, account_id: str = "", address: str = "", name: str = "") -> Erasure:
        """An erasure that was just accepted."""
        erasure_id = str(uuid.uuid4())
        sealed = TermCipher(self.house.settings).seal(erasure_id, ErasureTerms(address, name))
        now = self.clock.now()
        return Erasure(id=erasure_id, tenant=tenant, account_id=account_id, created_at=now, next_at=now, sealed_terms=sealed)

    async def write(self, tenant: str, topic: Topic, kind: type[Event], subject: str, data: Any, key: str = "") -> tuple[Event, LogOffset]:
        """Publish an event and put it into the tables, as whoever wrote it does."""
        event = kind(
            id=str(uuid.uuid4()), source="/claw/test", subject=subject, time=self.clock.now(), tenant=tenant, traceparent="", data=data
        )
        place = await self.house.publisher.publish(Outgoing(topic, event, key=key))
        await self.tables.apply(event, place)
        return event, place

    async def plant(self, topic: Topic, value: bytes, key: str = "planted") -> None:
        """A record that no agent wrote."""
        await self.house.publisher.publish_raw(
            f"{self.house.settings.kafka.topic_prefix}{topic.name}", key.encode(), value, {}, partition=0
        )


@asynccontextmanager
async def open_erasing(settings: Settings) -> AsyncIterator[Erasing]:
    """The installation of these settings, with its topics, until the block ends."""
    await administration.apply(settings.kafka, TOPICS)
    async with opened_house(settings) as house:
        clock, tables, blobs, index = MovedClock(), ReadModels(house.redis, house.prefix), BlobStore(settings), PlainIndex()
        await blobs.start()
        records = RecordWriter(house.redis, house.prefix, house.publisher, tables, clock)
        eraser = Eraser(settings, house.redis, house.publisher, tables, records, blobs, index, clock)
        yield Erasing(house, tables, records, blobs, index, clock, eraser)
        await blobs.stop()
    await administration.delete(settings.kafka, TOPICS)


def by_place(check: Check) -> dict[str, PlaceResult]:
    """The results of a check by the place."""
    return {each.place: each for each in check.places}
