"""The times of schedules: each comes once, whatever the clocks of a zone do, and whoever computes them from wherever."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.schedules.times import check_spec, due_at, find_due, find_zone, next_time, tick_id, times_after
from schemas.errors import Refused
from schemas.jobs import CleanUpAction
from schemas.schedules import CronSpec, IntervalSpec, Schedule, ScheduleSpec

COMPUTED = hypothesis_settings(max_examples=60)  # each example walks through many times
START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Kathmandu",
)
LINES = (
    "*/15 * * * *",
    "30 2 * * *",
    "0,30 2,3 * * *",
    "15 */2 * * *",
    "0 0 1 * *",
    "0 0 * * SUN",
    "59 23 L * *",
    "0 1-3 * * *",
    "5 0 * * *",
)

instants = st.integers(0, 2 * 366 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
CHANGES = (  # of the clocks: Berlin, New York, Lord Howe, Cairo, Santiago
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, tzinfo=UTC),
    datetime(2026, 4, 23, 22, tzinfo=UTC),
    datetime(2026, 9, 6, 4, tzinfo=UTC),
    datetime(2026, 4, 5, 3, tzinfo=UTC),
)
changes = st.sampled_from(CHANGES)
near_changes = st.builds(lambda at, seconds: at + timedelta(seconds=seconds), changes, st.integers(-86_400, 86_400))
moments = instants | near_changes
specs = st.builds(CronSpec, line=st.sampled_from(LINES), time_zone=st.sampled_from(ZONES)) | st.integers(1, 5_000).flatmap(
    lambda every: st.builds(IntervalSpec, every_s=st.just(every), offset_s=st.integers(0, every - 1))
)


def schedule(spec: ScheduleSpec, **changed: Any) -> Schedule:
    given_: dict[str, Any] = {"anchor_at": START, "catch_up_s": 3_600} | changed
    return Schedule(id="s", tenant="t", name="n", spec=spec, action=CleanUpAction(), created_at=START, updated_at=START, **given_)


@given(specs, moments, st.integers(1, 40))
def test_from_anywhere_between_two_times_the_next_is_the_same(spec, after, seconds):
    """Workers that ask at different moments agree, so a tick has one id."""
    first, second = islice(times_after(spec, after), 2)
    assert after < first < second
    between = first + (second - first) * seconds / 41
    assert next_time(spec, between) == second
    assert next_time(spec, first - timedelta(seconds=1)) == first


@COMPUTED
@given(st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 59), moments)
def test_a_daily_time_comes_once_on_each_day_of_its_zone(name, hour, minute, after):
    """Also when that time does not exist on a day, or exists twice."""
    zone = ZoneInfo(name)
    found = [at.astimezone(zone) for at in islice(times_after(CronSpec(line=f"{minute} {hour} * * *", time_zone=name), after), 6)]
    days = [at.date() for at in found]
    assert days == [days[0] + timedelta(days=number) for number in range(6)]


@COMPUTED
@given(st.sampled_from(ZONES), moments)
def test_every_quarter_of_an_hour_is_real_time(name, after):
    found = list(islice(times_after(CronSpec(line="*/15 * * * *", time_zone=name), after), 120))
    assert {later - sooner for sooner, later in pairwise(found)} == {timedelta(minutes=15)}


def test_a_time_that_does_not_exist_is_when_the_clocks_go_on_and_one_that_comes_twice_is_the_first():
    berlin = CronSpec(line="30 2 * * *", time_zone="Europe/Berlin")
    assert next_time(berlin, datetime(2026, 3, 29, 0, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 there
    assert next_time(berlin, datetime(2026, 10, 24, 12, tzinfo=UTC)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # in summer time
    for minute in (45, 75, 100):  # between the two, at 02:15 for the second time, and behind both
        after = datetime(2026, 10, 25, 0, tzinfo=UTC) + timedelta(minutes=minute)
        assert next_time(berlin, after) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@COMPUTED
@given(specs, moments, st.integers(0, 7_200), st.integers(10, 7_200), st.lists(st.integers(-7_200, 14_400), min_size=1, max_size=12))
def test_whatever_the_clock_does_each_tick_fires_once_and_in_order(spec, begin, jitter_s, catch_up_s, jumps):
    """A clock that jumps both ways; what fired last is all that is remembered."""
    made = schedule(spec, jitter_s=jitter_s, catch_up_s=catch_up_s, anchor_at=begin)
    now, last, skipped = begin, None, 0
    fired: list[datetime] = []
    for jump in jumps:
        now += timedelta(seconds=jump)
        due = find_due(made, last, now, limit=50)
        assert all(due_at(made, at) <= now <= due_at(made, at) + timedelta(seconds=catch_up_s) for at in due.times)
        fired += due.times
        if due.times:
            last, skipped = due.times[-1], skipped + due.skipped
    assert fired == sorted(set(fired))
    if fired and isinstance(spec, IntervalSpec):
        whole = (fired[-1] - begin) // timedelta(seconds=spec.every_s)
        assert whole <= len(fired) + skipped <= whole + 1, "every tick either ran or was counted"


@given(specs, moments, st.integers(1, 86_400))
def test_jitter_keeps_the_order_and_is_the_same_everywhere(spec, after, jitter_s):
    made = schedule(spec, jitter_s=jitter_s)
    times = list(islice(times_after(spec, after), 3))
    due = [due_at(made, at) for at in times]
    assert due == [due_at(made, at) for at in times] == sorted(due)
    assert all(at <= late <= at + timedelta(seconds=jitter_s) for at, late in zip(times, due, strict=True))


def test_ticks_that_are_too_late_are_skipped_and_counted():
    made = schedule(IntervalSpec(every_s=60), catch_up_s=300, anchor_at=START)
    due = find_due(made, START, START + timedelta(hours=1), limit=100)
    assert (len(due.times), due.skipped) == (6, 54)  # those of the last five minutes, both ends included
    assert due.next_at == START + timedelta(minutes=61)
    assert find_due(made, due.times[-1], START + timedelta(minutes=30), limit=100).times == ()  # the clock went back


def test_a_long_outage_costs_no_more_than_a_short_one():
    years = START + timedelta(days=40 * 365)
    assert find_due(schedule(IntervalSpec(every_s=1)), START, years, limit=10).skipped == 40 * 365 * 86_400 - 3_601
    assert find_due(schedule(CronSpec(line="* * * * *")), START, years, limit=10).skipped == 10_000


def test_only_so_many_fire_at_once_and_the_rest_is_due_at_once():
    due = find_due(schedule(IntervalSpec(every_s=1)), START, START + timedelta(seconds=60), limit=10)
    assert (len(due.times), due.next_at) == (10, START + timedelta(seconds=60))


def test_a_schedule_that_comes_once_in_years_is_fine_and_one_that_never_comes_is_not():
    check_spec(CronSpec(line="0 0 29 2 *"), START)
    for line in ("0 0 30 2 *", "0 0 31 4,6 *", "0 0 31 2-2 *"):
        with pytest.raises(Refused) as refused:
            check_spec(CronSpec(line=line), START)
        assert refused.value.code == "schedule_never_fires"


BAD_LINES = (
    *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *"),
    *("@daily", "a b c d e", "*,", "1" * 5_000 + " * * * *", "*/" + "9" * 150 + "x * * * *", "\N{ARABIC-INDIC DIGIT ONE} * * * *"),
    *("*\n* * * *", "1#9 1 * * 1#9", "* * * * L", "* * LW-3 * *", "* * * * 1L2"),
)


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_cannot_be_read_names_its_field(line):
    with pytest.raises(Refused) as refused:
        check_spec(CronSpec(line=line), START)
    assert refused.value.code == "validation_failed"
    assert refused.value.errors[0].field == "spec.line"


@given(st.text(alphabet="0123456789*/,-#LWAMON ", max_size=200))
def test_any_text_is_a_line_or_a_named_problem(line):
    with suppress(Refused):
        check_spec(CronSpec(line=line), START)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "Europe/Berlin\n", "a" * 64, "UTC\x00"])
def test_a_zone_that_does_not_exist_is_named(zone):
    assert find_zone(zone) is None
    with pytest.raises(Refused) as refused:
        check_spec(CronSpec(line="* * * * *", time_zone=zone), START)
    assert refused.value.errors[0].field == "spec.time_zone"


def test_an_offset_is_below_its_interval():
    check_spec(IntervalSpec(every_s=10, offset_s=9), START)
    with pytest.raises(Refused, match="validation_failed"):
        check_spec(IntervalSpec(every_s=10, offset_s=10), START)


def test_the_id_of_a_tick_follows_from_schedule_and_time():
    assert tick_id("s", START) == tick_id("s", START.astimezone(ZoneInfo("Asia/Tokyo"))) != tick_id("s", START + timedelta(seconds=1))
    assert tick_id("s", START) != tick_id("other", START)
