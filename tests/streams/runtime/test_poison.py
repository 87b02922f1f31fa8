"""The poison record: what it costs in peace, and whom it finds after deaths."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from adapters.redis.client import connect
from schemas.settings import RedisSettings
from streams.log.outgoing import LogOffset
from streams.runtime.metrics import WorkerMetrics
from streams.runtime.poison import PoisonDetector

P = ("t", 0)


def place(offset: int) -> LogOffset:
    return LogOffset("t", 0, offset)


async def starts(deaths: PoisonDetector, offset: int) -> int:
    async with deaths.track(place(offset)) as count:
        return count


@pytest.fixture
def worker(redis, settings):
    """A process with the end of the log at 10."""

    async def sign(name: str, client=redis) -> PoisonDetector:
        deaths = PoisonDetector(
            client,
            prefix=settings.redis.key_prefix,
            name="g/a",
            worker=name,
            deaths_max=3,
            last_chance=asyncio.Lock(),
            metrics=WorkerMetrics(CollectorRegistry()),
        )

        async def ends(partitions):
            return dict.fromkeys(partitions, 10)

        await deaths.sign_on([P], ends)
        return deaths

    return sign


async def test_after_an_orderly_handover_nothing_is_counted_and_only_what_had_begun_is_suspected(worker):
    first = await worker("w1")
    await first.sign_off({P: [4, 6]})
    second = await worker("w2")
    assert [second.may_have_begun(place(offset)) for offset in (3, 4, 5, 6, 7)] == [False, True, False, True, False]
    assert await starts(second, 4) == 0
    second.finish(place(4))
    second.finish(place(6))
    await second.flush()
    await second.sign_off({P: []})
    third = await worker("w3")
    assert not third.may_have_begun(place(4))


async def test_three_deaths_on_one_event_are_seen_and_its_neighbours_are_not_blamed(worker):
    await (await worker("w0")).sign_off({P: []})
    await worker("w1")  # dies with 4 and 5 in work, which nobody has counted
    second = await worker("w2")
    assert second.may_have_begun(place(9))
    assert not second.may_have_begun(place(10)), "it came after the death"
    assert list(await asyncio.gather(starts(second, 4), starts(second, 5))) == [1, 1]
    assert await starts(second, 10) == 0
    second.finish(place(5))
    await second.flush()  # then it dies again
    third = await worker("w3")
    assert await starts(third, 4) == 2 == third.deaths_max - 1, "its last chance"
    fourth = await worker("w4")
    assert await starts(fourth, 4) == 3 == fourth.deaths_max
    assert await starts(fourth, 5) == 1


async def test_an_orderly_end_in_the_middle_of_suspect_work_takes_the_count_back(worker):
    await worker("w1")
    for name in ("w2", "w3", "w4"):
        deaths = await worker(name)
        assert await starts(deaths, 4) in (0, 1)
        assert await starts(deaths, 4) in (0, 1), "another turn in the same process is no death"
        await deaths.sign_off({P: [4]})
    assert (await worker("w5")).may_have_begun(place(4))


async def test_before_anybody_has_signed_nothing_is_counted(worker):
    first = await worker("w1")
    assert first.may_have_begun(place(4)), "nobody knows"
    assert await starts(first, 4) == 0


async def test_the_same_process_coming_back_is_no_death(worker):
    await worker("w1")
    assert not (await worker("w1")).may_have_begun(place(4))


async def test_a_late_sign_off_of_somebody_who_was_replaced_says_nothing(worker):
    zombie = await worker("w1")
    await worker("w2")
    await zombie.sign_off({P: []})
    assert (await worker("w3")).may_have_begun(place(4))


async def test_notes_below_the_first_delivered_offset_are_dropped(worker):
    await (await worker("w1")).sign_off({P: [2, 4]})
    second = await worker("w2")
    second.forget_below(P, 4)
    assert not second.may_have_begun(place(2))
    assert second.may_have_begun(place(4))


async def test_without_redis_nothing_is_counted_and_what_was_on_the_log_is_suspected(worker):
    nowhere = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    deaths = await worker("w", nowhere)
    assert deaths.may_have_begun(place(9))
    assert not deaths.may_have_begun(place(10)), "it came after the assignment: no earlier owner can have read it"
    assert await starts(deaths, 4) == 0
    await deaths.sign_off({P: [4]})
    await nowhere.aclose()


async def test_last_chances_are_taken_one_at_a_time_and_counted_when_they_are_taken(worker):
    await worker("w1")
    second = await worker("w2")
    await asyncio.gather(*(starts(second, offset) for offset in (4, 5)))  # dies with both in work
    third = await worker("w3")
    async with third.track(place(4)) as count:
        assert count == 2
        waiting = asyncio.ensure_future(starts(third, 5))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        fourth = await worker("w4")  # it dies now
        assert await starts(fourth, 5) == 2, "the one that waited is not blamed"
    await waiting
