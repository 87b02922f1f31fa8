"""Durable timers: they outlive processes, have one owner, come at least once, and the log brings them back. Times come by argument."""

import pytest

from schemas.errors import Superseded
from streams.runtime.timers import Timer, Timers, TimerSetting

pytestmark = pytest.mark.stack
T = 1_800_000_000_000  # ms
LOG = (
    TimerSetting(0, "a", T),
    TimerSetting(0, "b", T + 50),
    TimerSetting(0, "a", T + 20),
    TimerSetting(0, "c", T),
    TimerSetting(0, "c", None),
)


@pytest.fixture
def timers(redis, settings) -> Timers:
    return Timers(redis, settings.redis.key_prefix, "test")


async def claim(timers: Timers, token: int, before_ms: int, *, partition: int = 0, limit: int = 10) -> list[tuple[str, int]]:
    """Ids and counts of firings of what is due."""
    due = await timers.claim(partition, token, before_ms=before_ms, again_at_ms=before_ms + 1_000, limit=limit)
    return [(timer.id, timer.fired) for timer in due]


async def lose_data(redis, settings) -> None:
    """What this test has in Redis is gone."""
    keys = await redis.keys(f"{settings.redis.key_prefix}:*")
    assert keys
    await redis.delete(*keys)


async def test_timers_are_due_at_their_latest_time_in_order_and_not_before(timers):
    await timers.set_many(LOG)
    token = await timers.take_over(0, 0)
    assert await claim(timers, token, T + 20) == []
    assert [timer.id for timer in await timers.list_due(0, T + 51, 10)] == ["a", "b"]
    assert await claim(timers, token, T + 51, limit=1) == [("a", 0)]
    assert await claim(timers, token, T + 51) == [("b", 0)]
    assert await timers.count((0,)) == 2


async def test_any_order_and_any_repeat_of_the_log_sets_the_same_timers(timers):
    await timers.set_many((*LOG[::-1], *LOG))
    assert [(timer.id, timer.at_ms) for timer in await timers.list_due(0, T + 100, 10)] == [("a", T + 20), ("b", T + 50)]


async def test_a_claimed_timer_is_due_again_when_its_process_died(redis, settings, timers):
    await timers.set_many(LOG)
    dead = await timers.take_over(0, 0)
    assert await claim(timers, dead, T + 100) == [("a", 0), ("b", 0)]
    successor = Timers(redis, settings.redis.key_prefix, "test")
    token = await successor.take_over(0, 0)
    assert await claim(successor, token, T + 1_100) == []
    assert await claim(successor, token, T + 1_101) == [("a", 0), ("b", 0)], "the same ids and counts: the same effects"


async def test_a_repeated_timer_counts_its_firings_until_it_is_set_off(timers):
    await timers.set_many(LOG)
    token = await timers.take_over(0, 0)
    for fired in range(3):
        (timer,) = await timers.claim(0, token, before_ms=T + 21 + fired, again_at_ms=T + 21 + fired, limit=1)
        assert (timer.id, timer.fired) == ("a", fired)
        await timers.repeat(timer, T + 21 + fired)
    await timers.set_many((TimerSetting(0, "a", None),))
    await timers.repeat(Timer(0, "a", 0, T, 3), T + 30)
    assert [timer.id for timer in await timers.list_due(0, T + 100, 10)] == ["b"]
    await timers.set_many((TimerSetting(0, "a", T + 20),))
    assert (await timers.list_due(0, T + 21, 1))[0].fired == 0


async def test_only_the_owner_of_a_partition_claims(timers):
    await timers.set_many((*LOG, TimerSetting(1, "x", T)))
    former, other = await timers.take_over(0, 7), await timers.take_over(1, 7)
    token = await timers.take_over(0, 3)
    assert (former, other, token) == (7, 7, 8)
    with pytest.raises(Superseded):
        await claim(timers, former, T + 100)
    assert await claim(timers, token, T + 100) == [("a", 0), ("b", 0)]
    assert await claim(timers, other, T + 100, partition=1) == [("x", 0)]


async def test_the_log_fills_timers_that_redis_has_lost(redis, settings, timers):
    """The fence is lost as well: the owner goes on, and a successor's token is higher all the same."""
    await timers.set_many(LOG)
    token = await timers.take_over(0, 100)
    await lose_data(redis, settings)
    assert await claim(timers, token, T + 100) == []
    await timers.set_many(LOG)
    assert await claim(timers, token, T + 100) == [("a", 0), ("b", 0)]
    await lose_data(redis, settings)
    await timers.set_many(LOG)
    successor = await timers.take_over(0, 101)
    assert await claim(timers, successor, T + 100) == [("a", 0), ("b", 0)]
    with pytest.raises(Superseded):
        await claim(timers, token, T + 2_000)


async def test_a_full_set_turns_new_timers_away_and_says_how_many(redis, settings):
    timers = Timers(redis, settings.redis.key_prefix, "test", entries_max=2)
    wanted = [TimerSetting(0, name, T) for name in "abcd"]
    assert await timers.set_many(wanted) == 2
    assert await timers.set_many((TimerSetting(0, "a", T + 5), TimerSetting(0, "b", None), wanted[2])) == 0
    assert [(timer.id, timer.at_ms) for timer in await timers.list_due(0, T + 100, 10)] == [("c", T), ("a", T + 5)]


async def test_classes_are_claimed_apart_and_set_off_together(redis, settings):
    timers = Timers(redis, settings.redis.key_prefix, "test", kinds=("people", "machines"))
    await timers.set_many((TimerSetting(0, "a", T, kind=1), TimerSetting(0, "b", T, kind=0)))
    token = await timers.take_over(0, 0)
    assert [timer.id for timer in await timers.claim(0, token, before_ms=T + 1, again_at_ms=T, limit=9, kind=1)] == ["a"]
    await timers.set_many((TimerSetting(0, "a", None, kind=0),))
    assert await timers.count((0,)) == 1
    assert await timers.set_many(()) == 0
