"""Rate-limit decisions: collected per process, published as one event a second, counted by minute and hour.

Every decision is counted once per dimension, allowed ones too: a sum a second costs less than a sample, and is exact.
"""

import asyncio
import secrets
from collections import Counter as Sums
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import structlog

from adapters.redis.client import RedisClient
from domain.limits.topics import LIMITS_DECIDED
from schemas import ids
from schemas.errors import Unavailable
from schemas.limits import Decisions, Dimension, LimitsDecided, Tally
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.range_reader import LogRecord
from streams.tables.counters import Change, Counter, CounterFeeds, tumbling

REPORT_S = 1.0  # between two events of a process, while there is something to publish
VALUES_MAX = 50  # of one dimension in one event; the least refused are summed up as ``other``
VALUES_HELD_MAX = 5_000  # of one dimension in memory until then
OTHER = "other"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
MINUTES_KEPT_S, HOURS_KEPT_S = 2 * HOUR_S, 31 * DAY_S
DIMENSIONS: tuple[Dimension, ...] = ("rule", "route", "tier", "address")
OUTCOMES: tuple[Literal["allowed", "refused", "shadow"], ...] = ("allowed", "refused", "shadow")
SEPARATOR = "|"

StatisticsWindow = Literal["minute", "hour", "day"]

log = structlog.get_logger(__name__)
_DECODER = msgspec.json.Decoder(LimitsDecided)


class DecisionReporter:
    """Collects the decisions of one process and publishes them. What Kafka does not acknowledge in time is published later, bounded."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher, self._clock = publisher, clock
        self._replica = f"api-{secrets.token_hex(4)}"
        self._sums: dict[Dimension, Sums[tuple[str, str]]] = {dimension: Sums() for dimension in DIMENSIONS}
        self._begun_at = clock.now()
        self._serial = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._publish_periodically(), name="limits-teller")

    async def stop(self) -> None:
        """Tell what is left, if the log takes it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await self.publish()

    def record(self, *, refusing: str, shadowing: Sequence[str], rules: Iterable[str], route: str, tier: str, address: str) -> None:
        """One decision: refused by the rule ``refusing`` ("" = allowed), or let through by ``rules``."""
        outcome = "refused" if refusing else "shadow" if shadowing else "allowed"
        self._add("route", route, outcome)
        self._add("tier", tier, outcome)
        if refusing:
            self._add("rule", refusing, "refused")
            self._add("address", address, "refused")
            return
        for rule in rules:
            self._add("rule", rule, "shadow" if rule in shadowing else "allowed")

    async def publish(self) -> None:
        """Put on the log what was gathered since the last time."""
        now = self._clock.now()
        tallies = build_tallies(self._sums)
        if not tallies:
            self._begun_at = now
            return
        self._serial += 1
        event = LimitsDecided(
            id=ids.derive("limits-decided", self._replica, self._serial),
            source="/claw/api",
            subject=self._replica,
            time=now,
            tenant=ids.INSTALLATION,
            traceparent=new_traceparent(secrets.token_bytes),
            data=Decisions(
                replica=self._replica, begun_at=self._begun_at, seconds=round((now - self._begun_at).total_seconds(), 3), tallies=tallies
            ),
        )
        taken, self._sums = self._sums, {dimension: Sums() for dimension in DIMENSIONS}
        try:
            await self._publisher.publish(Outgoing(LIMITS_DECIDED, event))
        except Unavailable as error:
            for dimension, sums in taken.items():
                self._sums[dimension].update(sums)
            log.warning("limits_decided_not_told", detail=error.detail)
        else:
            self._begun_at = now

    def _add(self, dimension: Dimension, value: str, outcome: str) -> None:
        sums = self._sums[dimension]
        if (value, outcome) not in sums and len(sums) >= VALUES_HELD_MAX:
            value = OTHER
        sums[value, outcome] += 1

    async def _publish_periodically(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            await self.publish()


def build_tallies(sums: dict[Dimension, Sums[tuple[str, str]]]) -> tuple[Tally, ...]:
    """Per dimension at most 50 values, the most refused first, the rest as ``other``: no decision is lost."""
    tallies: list[Tally] = []
    for dimension, counted in sums.items():
        by_value: dict[str, dict[str, int]] = {}
        for (value, outcome), count in counted.items():
            by_value.setdefault(value, {})[outcome] = count
        ranked = sorted(
            by_value, key=lambda value: (value == OTHER, -by_value[value].get("refused", 0), -sum(by_value[value].values()), value)
        )
        named, rest = ranked[:VALUES_MAX], ranked[VALUES_MAX:]
        tallies += [Tally(dimension=dimension, value=value, **by_value[value]) for value in named]
        if rest:
            others = {outcome: sum(by_value[value].get(outcome, 0) for value in rest) for outcome in OUTCOMES}
            tallies.append(Tally(dimension=dimension, value=OTHER, **others))
    return tuple(tallies)


def changes_of(event: LimitsDecided) -> list[Change]:
    """What an event adds to the counters: per dimension one hash of ``value|outcome``."""
    fields: dict[Dimension, dict[str, int]] = {}
    for tally in event.data.tallies:
        counts = fields.setdefault(tally.dimension, {})
        for outcome in OUTCOMES:
            if count := getattr(tally, outcome):
                name = f"{tally.value}{SEPARATOR}{outcome}"
                counts[name] = counts.get(name, 0) + count
    return [Change(dimension, counts, event.time) for dimension, counts in fields.items() if counts]


def decode_changes(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    """The same of a record read from the log again; None for one that cannot be decoded."""
    try:
        event = _DECODER.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event.id, changes_of(event)


class DecisionCounters:
    """The two counters: by minute for two hours, by hour for a month."""

    def __init__(self, redis: RedisClient, prefix: str, partitions: int) -> None:
        self.minutes = Counter(redis, prefix, "limits_minute", partitions=partitions, window=tumbling(MINUTE_S), retention_s=MINUTES_KEPT_S)
        self.hours = Counter(redis, prefix, "limits_hour", partitions=partitions, window=tumbling(HOUR_S), retention_s=HOURS_KEPT_S)

    async def read(self, window: StatisticsWindow, now: datetime) -> tuple[datetime, dict[Dimension, dict[str, dict[str, int]]]]:
        """Since when, and the sums by dimension, value and outcome: the last whole minute and this one, 60 minutes, 24 hours."""
        counter, buckets, size_s = {
            "minute": (self.minutes, 2, MINUTE_S),
            "hour": (self.minutes, 60, MINUTE_S),
            "day": (self.hours, 24, HOUR_S),
        }[window]
        assert counter.window is not None
        since = datetime.fromtimestamp(counter.window.bucket(now), now.tzinfo) - timedelta(seconds=(buckets - 1) * size_s)
        sums: dict[Dimension, dict[str, dict[str, int]]] = {}
        for dimension in DIMENSIONS:
            values = sums[dimension] = {}
            for _, fields in await counter.range(dimension, since, now):
                for name, count in fields.items():
                    value, _, outcome = name.rpartition(SEPARATOR)
                    outcomes = values.setdefault(value, {})
                    outcomes[outcome] = outcomes.get(outcome, 0) + count
        return since, sums


class DecisionFeeds(CounterFeeds):
    """Keeps both counters true to the topic."""

    async def feed(self, partition: int, offset: int, event: LimitsDecided) -> None:
        """Account for one event, once in each. Raises Unavailable."""
        changes = changes_of(event)
        for feed in self.feeds:
            await feed.feed(partition, offset, event.id, changes)
