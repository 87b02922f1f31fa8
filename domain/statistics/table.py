"""The statistics of use in Redis: a counter for each topic that feeds them, by day, read together.

Every counter moves its mark with its sums (``streams/tables/counters.py``), so an event counts once however often it is delivered, and a
rebuild from the topics gives the same table, as far as these go back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from adapters.redis.client import RedisClient
from domain.accounts.topics import ACCOUNTS_CHANGED
from domain.chats.topics import FEEDBACK_GIVEN
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.statistics.changes import (
    INSTALLATION,
    REGISTERED,
    Decode,
    account_key,
    decode_account,
    decode_document,
    decode_usage,
    feedback_decoder,
    registered_key,
    tenant_key,
)
from domain.statistics.settings import StatisticsSettings
from domain.time_zones import read_time_zone
from domain.usage.topics import USAGE_RECORDED
from schemas.settings import Settings
from streams.tables.counters import Counter
from streams.tables.sketches import ThetaSketch, hash_of, intersect_sketches, merge_sketches
from streams.tables.windows import Days, Scale
from streams.topics import Topic

By = Literal["day", "week", "month"]

DAY = "day"
DAY_S = 86_400
RETENTION_DAYS = (1, 7, 30)


@dataclass(frozen=True, slots=True)
class StatisticsSource:
    """A topic that feeds the statistics, with its counter."""

    topic: Topic
    counter: Counter
    decode: Decode


@dataclass(frozen=True, slots=True)
class PeriodStatistics:
    """One day, week or month, from ``start`` to before ``end``; sketches of accounts, and sums by field."""

    start: date
    end: date
    active: ThetaSketch
    registered: ThetaSketch
    sums: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cohort:
    """The accounts that registered on ``day``; ``retained`` by days later: those active on that day, None for a day that is not over."""

    day: date
    registered: ThetaSketch
    retained: Mapping[int, ThetaSketch | None]


@dataclass(frozen=True, slots=True)
class StatisticsScope:
    """Whose statistics: the keys of sums, of active accounts and of registrations; "" for none."""

    sums: str
    active: str = ""
    registered: str = ""


def account_scope(tenant: str, account_id: str) -> StatisticsScope:
    """One account's."""
    return StatisticsScope(account_key(tenant, account_id))


def tenant_scope(tenant: str) -> StatisticsScope:
    """A tenant's."""
    return StatisticsScope(tenant_key(tenant), tenant_key(tenant), registered_key(tenant))


INSTALLATION_SCOPE = StatisticsScope(INSTALLATION, INSTALLATION, REGISTERED)


class StatisticsTable:
    """Methods raise Unavailable("redis_unavailable"). Raises ConfigurationError for a time zone that this system does not know."""

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        own, kafka, prefix = settings.of(StatisticsSettings), settings.kafka, settings.redis.key_prefix
        zone = own.time_zone or settings.retrieval.time_zone
        self.days = Days(read_time_zone(zone, "CLAW_STATISTICS_TIME_ZONE" if own.time_zone else "CLAW_RETRIEVAL_TIME_ZONE"))
        self.zone_name, self.retention_days = zone, own.retention_days
        scales = (Scale(DAY, self.days, own.retention_days * DAY_S),)

        def source(topic: Topic, name: str, decode: Decode) -> StatisticsSource:
            partitions = topic.partitions(kafka)
            counter = Counter(redis, prefix, f"statistics_{name}", partitions=partitions, scales=scales, hashes_max=own.exact_max)
            return StatisticsSource(topic, counter, decode)

        self.usage = source(USAGE_RECORDED, "usage", decode_usage)
        self.feedback = source(FEEDBACK_GIVEN, "feedback", feedback_decoder(own.reasons))
        self.documents = source(DOCUMENTS_SUBMITTED, "documents", decode_document)
        self.accounts = source(ACCOUNTS_CHANGED, "accounts", decode_account)
        self.sources = (self.usage, self.feedback, self.documents, self.accounts)

    def day_of(self, at: datetime) -> date:
        """The day of a moment, where the installation is."""
        return at.astimezone(self.days.zone).date()

    def oldest_day(self, now: datetime) -> date:
        """The first day that is kept as a whole."""
        return self.day_of(now) - timedelta(days=self.retention_days)

    async def rows(self, scope: StatisticsScope, first: date, last: date, by: By) -> list[PeriodStatistics]:
        """Every day, week (from Monday) or month that has a day from ``first`` to ``last``, with what these days have, the oldest first."""
        days = days_between(first, last)
        sums, active, registered = await asyncio.gather(
            self._sums(scope.sums, days), self._active(scope.active, days), self._registrations(scope.registered, days)
        )
        found: dict[date, list[int]] = {}
        for index, day in enumerate(days):
            found.setdefault(period_of(day, by), []).append(index)
        return [
            PeriodStatistics(
                days[indexes[0]],
                days[indexes[-1]] + timedelta(days=1),
                merge_sketches(active[index] for index in indexes),
                merge_sketches(registered[index] for index in indexes),
                add_sums([sums[index] for index in indexes]),
            )
            for indexes in found.values()
        ]

    async def cohorts(self, scope: StatisticsScope, first: date, last: date, today: date) -> list[Cohort]:
        """The accounts that registered on each of these days, and who of them came back 1, 7 and 30 days later."""
        days = days_between(first, last)
        later = days_between(first, min(last + timedelta(days=max(RETENTION_DAYS)), today))
        registered, active = await asyncio.gather(self._registrations(scope.registered, days), self._active(scope.active, later))
        by_day = dict(zip(later, active, strict=True))
        return [
            Cohort(day, some, {after: _retention(some, by_day, day + timedelta(days=after), today) for after in RETENTION_DAYS})
            for day, some in zip(days, registered, strict=True)
            if some.hashes
        ]

    async def erase_account(self, tenant: str, account_id: str, now: datetime) -> None:
        """Remove the rows of an account, and the account from those that were active or registered. Sums of its tenant stay: they name
        nobody. Events of the account that are on the log until then must not be read again, or be gone.
        """
        starts = [self.days.start_of(day) for day in days_between(self.oldest_day(now) - timedelta(days=1), self.day_of(now))]
        found = hash_of(tenant, account_id)
        hashes = dict.fromkeys((tenant_key(tenant), INSTALLATION, registered_key(tenant), REGISTERED), found)
        for source in self.sources:
            await source.counter.erase([account_key(tenant, account_id)], hashes, starts, scale=DAY)

    async def _sums(self, key: str, days: Sequence[date]) -> list[Mapping[str, int]]:
        start, end = self._moment(days[0]), self._moment(days[-1] + timedelta(days=1))
        counted = (self.usage, self.feedback, self.documents)
        found: list[list[Mapping[str, int]]] = [[] for _ in days]
        for some in await asyncio.gather(*(source.counter.range(key, start, end, scale=DAY) for source in counted)):
            for at, sums in some:
                found[(self.day_of(at) - days[0]).days].append(sums)
        return [add_sums(each) for each in found]

    async def _active(self, key: str, days: Sequence[date]) -> list[ThetaSketch]:
        counted = (self.usage, self.feedback, self.documents)
        return await self._sketches(key, days, counted)

    async def _registrations(self, key: str, days: Sequence[date]) -> list[ThetaSketch]:
        return await self._sketches(key, days, (self.accounts,))

    async def _sketches(self, key: str, days: Sequence[date], sources: Sequence[StatisticsSource]) -> list[ThetaSketch]:
        if not key:
            return [ThetaSketch()] * len(days)
        starts = [self.days.start_of(day) for day in days]
        found = await asyncio.gather(*(source.counter.sketches(key, starts, scale=DAY) for source in sources))
        return [merge_sketches(some) for some in zip(*found, strict=True)]

    def _moment(self, day: date) -> datetime:
        return datetime.fromtimestamp(self.days.start_of(day), self.days.zone)


def days_between(first: date, last: date) -> list[date]:
    """From the first to the last, both of them; the first in any case."""
    return [first + timedelta(days=number) for number in range(max(0, (last - first).days) + 1)]


def period_of(day: date, by: By) -> date:
    """The first day of the day's period: itself, its Monday, or the first of its month."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if by == "month" else day


def add_sums(some: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """All of them together."""
    total: dict[str, int] = {}
    for sums in some:
        for name, value in sums.items():
            total[name] = total.get(name, 0) + value
    return total


def _retention(registered: ThetaSketch, active: Mapping[date, ThetaSketch], day: date, today: date) -> ThetaSketch | None:
    return intersect_sketches(registered, active[day]) if day < today else None
