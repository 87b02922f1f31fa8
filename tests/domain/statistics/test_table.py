"""The statistics are the same whatever the order and repeats of events, forget an account, and have the days of the installation."""

import random
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from domain.statistics.settings import StatisticsSettings
from domain.statistics.table import (
    INSTALLATION_SCOPE,
    StatisticsScope,
    StatisticsSource,
    StatisticsTable,
    account_scope,
    period_of,
    tenant_scope,
)
from schemas.chats import Consumption, Feedback, FeedbackGiven, RatingBefore, UsageRecorded
from schemas.documents import Document, DocumentSubmitted
from schemas.events import Event
from schemas.records import Account, AccountChanged
from schemas.settings import KafkaSettings, Settings
from streams.log.range_reader import LogRecord
from streams.tables.counters import CounterFeed

FIRST = date(2036, 3, 1)  # far enough from now that nothing expires
LAST = FIRST + timedelta(days=40)
ACCOUNTS = [("acme", "ada"), ("acme", "bob"), ("globex", "eve")]


def moment(day: int, hour: int = 12) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=day)


def wrap(kind: type[Event], tenant: str, at: datetime, data: Any, event_id: str = "") -> Event:
    return kind(id=event_id or str(uuid4()), source="/claw", subject="s", time=at, tenant=tenant, traceparent="", data=data)


def usage(account: tuple[str, str], at: datetime, **fields: Any) -> Event:
    defaults: dict[str, Any] = {
        "conversation_id": "c",
        "reply_id": "r",
        "model": "m",
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "ended": "answered",
    }
    return wrap(UsageRecorded, account[0], at, Consumption(user_id=account[1], **(defaults | fields)))


def feedback(account: tuple[str, str], at: datetime, rating: Any, replied_at: datetime, **fields: Any) -> Event:
    data = Feedback(user_id=account[1], conversation_id="c", reply_id="r", rating=rating, model="m", replied_at=replied_at, **fields)
    return wrap(FeedbackGiven, account[0], at, data)


def submission(tenant: str, at: datetime, submitted_by: str = "") -> Event:
    data = Document(knowledge_base_id="kb", document_id="d", title="t", text="text", submitted_by=submitted_by)
    return wrap(DocumentSubmitted, tenant, at, data)


def registration(account: tuple[str, str], day: int, changed: int = 0) -> Event:
    data = Account(id=account[1], tenant=account[0], email="a@example.org", created_at=moment(day))
    return wrap(AccountChanged, account[0], moment(day + changed), data)


class Log:
    """The records of a topic by partition: what a feed reads again."""

    def __init__(self, partitions: int) -> None:
        self.kept: list[list[bytes]] = [[] for _ in range(partitions)]

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        for offset in range(start, len(self.kept[partition]) if stop is None else stop):
            yield LogRecord(offset, self.kept[partition][offset])


async def fill(table: StatisticsTable, events: Sequence[Event], mix: random.Random) -> None:
    """Each event on its topic, in a partition of its key, delivered now and then twice, or after one that was skipped."""
    logs = {id(source): Log(source.counter.partitions) for source in table.sources}
    feeds = {id(source): CounterFeed(source.counter, logs[id(source)], source.decode) for source in table.sources}
    for event in events:
        source = source_of(table, event)
        kept = logs[id(source)].kept[mix.randrange(source.counter.partitions)]
        kept += [msgspec.json.encode(event)] * mix.choice((1, 1, 2))
    for source in table.sources:
        for partition, kept in enumerate(logs[id(source)].kept):
            offsets = [offset for offset in range(len(kept)) if mix.random() < 0.7] + [len(kept) - 1] * 2
            for offset in offsets if kept else ():
                event_id, changes = source.decode(LogRecord(offset, kept[offset])) or ("", ())
                await feeds[id(source)].feed(partition, offset, event_id, changes)


def source_of(table: StatisticsTable, event: Event) -> StatisticsSource:
    kinds = {UsageRecorded: table.usage, FeedbackGiven: table.feedback, DocumentSubmitted: table.documents, AccountChanged: table.accounts}
    return kinds[type(event)]


def make(redis: RedisClient, prefix: str, **own: Any) -> StatisticsTable:
    redis_settings = msgspec.structs.replace(Settings().redis, key_prefix=f"{prefix}{uuid4().hex[:6]}")
    settings = msgspec.structs.replace(Settings(), redis=redis_settings, kafka=KafkaSettings(partitions=2))
    return StatisticsTable(redis, settings.with_section(StatisticsSettings(**own)))


async def whole(table: StatisticsTable) -> Any:
    """Everything that can be read."""
    scopes = [INSTALLATION_SCOPE, tenant_scope("acme"), tenant_scope("globex"), *(account_scope(*each) for each in ACCOUNTS)]
    return [(await table.rows(scope, FIRST, LAST, "day"), await table.cohorts(scope, FIRST, LAST, LAST)) for scope in scopes]


accounts, days = st.sampled_from(ACCOUNTS), st.integers(0, 35)
events = st.one_of(
    st.builds(lambda who, day, ended: usage(who, moment(day), ended=ended), accounts, days, st.sampled_from(("answered", "not_found"))),
    st.builds(
        lambda who, day, rating: feedback(who, moment(day + 1), rating, moment(day)), accounts, days, st.sampled_from(("up", "down"))
    ),
    st.builds(lambda who, day: submission(who[0], moment(day), who[1]), accounts, days),
    st.builds(lambda who, changed: registration(who, 1, changed), accounts, days),
)


@pytest.mark.stack
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, max_size=25), st.randoms(use_true_random=False))
async def test_any_order_and_repeats_give_the_same_table(redis: RedisClient, prefix: str, some: list[Event], mix: random.Random) -> None:
    once, mixed = make(redis, prefix), make(redis, prefix)
    await fill(once, some, mix)
    shuffled = list(some)
    mix.shuffle(shuffled)
    await fill(mixed, shuffled, mix)
    assert await whole(once) == await whole(mixed)


@pytest.mark.stack
async def test_rows_have_what_each_scope_may_know(redis: RedisClient, prefix: str) -> None:
    ada, bob, eve = ACCOUNTS
    table = make(redis, prefix, feedback_reasons="outdated")
    some = [
        *(registration(each, 0, changed) for each in ACCOUNTS for changed in (0, 3)),
        usage(ada, moment(1), knowledge_base_ids=("kb",)),
        usage(ada, moment(7), ended="not_found", cached=True),
        usage(bob, moment(7), ended="failed", prompt_tokens=0, completion_tokens=0),
        usage(bob, moment(7), purpose="title"),
        usage(eve, moment(30)),
        usage(eve, moment(30), purpose="unshown_answer"),
        feedback(ada, moment(8), "down", moment(7), tags=("outdated", "call me at 555"), knowledge_base_ids=("kb",)),
        feedback(ada, moment(9), "up", moment(7), replaces=RatingBefore(rating="down", tags=("outdated", "call me at 555"))),
        submission("acme", moment(2), "bob"),
        submission("acme", moment(2)),
    ]
    await fill(table, some, random.Random(1))

    async def sums(scope: StatisticsScope) -> dict[str, int]:
        (row,) = {each.start: each for each in await table.rows(scope, FIRST, FIRST + timedelta(days=30), "month")}.values()
        return {name: value for name, value in row.sums.items() if value}

    acme = await sums(tenant_scope("acme"))
    assert acme.items() >= {"questions": 3, "answered": 1, "not_found": 1, "failed": 1, "cached": 1, "up": 1, "documents": 2}.items()
    assert (acme["prompt_tokens"], acme["answered:base:kb"], acme["up:model:m"]) == (14, 1, 1)
    assert "down" not in acme
    assert not any("555" in name for name in acme)
    assert await sums(account_scope(*bob)) == {"questions": 1, "failed": 1, "prompt_tokens": 7, "completion_tokens": 3, "documents": 1}
    everybody = await sums(INSTALLATION_SCOPE)
    assert (everybody["questions"], everybody["completion_tokens"]) == (4, 12)
    assert not any(":base:" in name for name in everybody)
    weeks = await table.rows(tenant_scope("acme"), FIRST, FIRST + timedelta(days=13), "week")
    assert [(row.start.day, row.active.size, row.registered.size) for row in weeks] == [(1, 1, 2), (3, 2, 0), (10, 1, 0)]
    (cohort,) = await table.cohorts(INSTALLATION_SCOPE, FIRST, FIRST, FIRST + timedelta(days=20))
    assert (cohort.registered.size, {after: each and each.size for after, each in cohort.retained.items()}) == (3, {1: 1, 7: 2, 30: None})


@pytest.mark.stack
async def test_an_erased_account_is_in_no_row_and_the_sums_of_its_tenant_stay(redis: RedisClient, prefix: str) -> None:
    ada, bob, _ = ACCOUNTS
    table = make(redis, prefix)
    some = [registration(ada, 0), *(usage(each, moment(1)) for each in (ada, bob)), feedback(ada, moment(2), "up", moment(1))]
    await fill(table, some, random.Random(1))
    await table.erase_account("acme", "ada", moment(40))
    rows = await table.rows(tenant_scope("acme"), FIRST, LAST, "day")
    assert (rows[1].sums["questions"], [row.active.size for row in rows[:3]], rows[0].registered.size) == (2, [0, 1, 0], 0)
    assert all(not row.sums for row in await table.rows(account_scope(*ada), FIRST, LAST, "day"))
    assert (await table.rows(account_scope(*bob), FIRST, LAST, "day"))[1].sums["questions"] == 1
    names = [key async for key in redis.scan_iter(match=f"{prefix}*")]
    assert not any(b"/ada" in name for name in names)


@pytest.mark.stack
async def test_a_day_is_one_of_the_installation_also_where_clocks_change(redis: RedisClient, prefix: str) -> None:
    table = make(redis, prefix, time_zone="Europe/Berlin")
    spring = datetime(2036, 3, 30, tzinfo=UTC)  # clocks change at 01:00 UTC: this day has 23 hours
    at = [
        spring - timedelta(minutes=61),
        spring - timedelta(minutes=59),
        spring + timedelta(hours=21, minutes=59),
        spring + timedelta(hours=22),
    ]
    await fill(table, [usage(ACCOUNTS[0], each) for each in at], random.Random(1))
    rows = await table.rows(tenant_scope("acme"), date(2036, 3, 29), date(2036, 3, 31), "day")
    assert [row.sums.get("questions", 0) for row in rows] == [1, 2, 1]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    day = date(2026, 11, 29)
    assert [period_of(day, by) for by in ("day", "week", "month")] == [day, date(2026, 11, 23), date(2026, 11, 1)]
