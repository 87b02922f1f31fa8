"""Real workers on the real broker: what stock Faust loses, strands and repeats (L1-L7, S1-S6 of its notes) does not happen to us."""

import asyncio
import time
import urllib.request

import msgspec
import pytest

from schemas.errors import ConfigurationError
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing
from streams.runtime.watchdog import EXIT_STUCK
from streams.runtime.worker import Worker
from streams.runtime.worker_registry import list_workers
from streams.topics import Topic
from tests.streams.conftest import committed, poke
from tests.support.poked import OTHER, POKED, Poked, lane, nothing, poking


def first_partition(outgoing: Outgoing) -> Outgoing:
    return Outgoing(outgoing.topic, outgoing.event, outgoing.key, partition=0)


async def reach_commit(settings, name: str, total: int, topic: Topic = POKED) -> None:
    async with asyncio.timeout(15):
        while sum((await committed(settings, name, topic)).values()) < total:
            await asyncio.sleep(0.1)


async def page(port: int, path: str) -> bytes:
    return await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).read())


async def test_a_worker_handles_what_is_on_the_log_says_how_it_is_and_leaves_quickly(fleet, publisher, effects, redis, lane_settings):
    await publisher.publish_all([poke(f"k{n % 5}", n // 5) for n in range(50)])
    worker = await fleet.start("plain")
    port = (await fleet.logged(worker, "lane_started"))["metrics_port"]
    assert await effects.reach("plain", 50) == {"runs": 50, "effects": 50}
    assert [await effects.of("plain", f"k{n}") for n in range(5)] == [list(range(10))] * 5
    await reach_commit(lane_settings, "plain", 50)
    async with asyncio.timeout(10):
        while not (states := await list_workers(redis, lane_settings.redis.key_prefix)):
            await asyncio.sleep(0.1)
    assert [(state.lane, state.assigned, state.partitions, state.lag, state.ready, state.stuck) for state in states] == [
        ("plain", 4, 4, 0, True, False)
    ]
    assert await page(port, "/livez") == b"alive\n"
    assert msgspec.json.decode(await page(port, "/readyz"))["ready"] is True
    assert b'claw_agent_events_total{agent="plain",outcome="handled"} 50.0' in await page(port, "/metrics")
    began = time.monotonic()
    assert await fleet.stop(worker) == 0
    assert time.monotonic() - began < 5
    assert await list_workers(redis, lane_settings.redis.key_prefix) == []


async def test_a_killed_worker_loses_nothing_that_was_in_flight_and_a_spare_takes_over(fleet, publisher, effects, lane_settings):
    """L1 and S2: the first event is slow and everything behind it is done; the offset stays before it. The spare was idle until then."""
    first = await fleet.start("plain")
    await fleet.logged(first, "lane_started")
    await publisher.publish(first_partition(poke("slow", 0, sleep_ms=3_000)))
    await publisher.publish_all([first_partition(poke(f"k{n}", 0)) for n in range(60)])
    await effects.reach("plain", 60)
    await asyncio.sleep(1)
    assert (await committed(lane_settings, "plain")).get(0, 0) == 0
    spare = await fleet.start("plain")
    await fleet.kill(first)
    await fleet.logged(spare, "lane_started", timeout_s=40)
    await effects.reach("plain", 61)
    assert await effects.of("plain", "slow") == [0]
    await reach_commit(lane_settings, "plain", 61)


async def test_a_successor_of_the_same_name_takes_over_at_once(fleet, publisher, effects):
    """Partitions and leases: nothing waits for the session of the dead one, or for its leases, which last a minute. One that
    stops in good order leaves, so that a worker of another name need not wait either.
    """
    patient = {"CLAW_LANE_SESSION_TIMEOUT_S": "60", "CLAW_LANE_LEASE_S": "60"}
    first = await fleet.start("chaos", CLAW_LANE_INSTANCE="one", **patient)
    await fleet.logged(first, "lane_started")
    await publisher.publish_all([poke(f"k{n}", 0, sleep_ms=3_000) for n in range(8)])
    await asyncio.sleep(1)
    await fleet.kill(first)
    heir = await fleet.start("chaos", CLAW_LANE_INSTANCE="one", **patient)
    await fleet.logged(heir, "lane_started", timeout_s=40)
    for agent in ("plain", "leased"):
        assert (await effects.reach(agent, 8))["effects"] == 8
    assert await fleet.stop(heir) == 0
    other = await fleet.start("chaos", CLAW_LANE_INSTANCE="two", **patient)
    await publisher.publish_all([poke(f"k{n}", 1) for n in range(8)])
    for agent in ("plain", "leased"):
        await effects.reach(agent, 16, timeout_s=45)
    assert await fleet.stop(other) == 0


async def test_what_cannot_be_handled_stops_nobody(fleet, publisher, effects, dead_letters, lane_settings):
    """L2, L3, L7: refused and undecodable events go to the dead letters, their neighbours are handled, the offset reaches the end, and a
    stop does not hang.
    """
    await publisher.publish_all([first_partition(poke("k", n, refuse=n == 3)) for n in range(6)])
    await publisher.publish_raw(publisher.physical_name(POKED), b"k", b"\xffnot an event", {}, partition=0)
    await publisher.publish(first_partition(poke("k", 6)))
    worker = await fleet.start("plain")
    await effects.reach("plain", 6)
    assert await effects.of("plain", "k") == [0, 1, 2, 4, 5, 6]
    await reach_commit(lane_settings, "plain", 8)
    assert sorted(dict(letter.headers)["code"] for letter in await dead_letters()) == [b"event_malformed", b"validation_failed"]
    assert await fleet.stop(worker) == 0


async def test_a_stop_gives_its_grace_cancels_the_rest_and_commits_only_what_is_done(fleet, publisher, effects, lane_settings):
    """L4, S4: the long event is cancelled after the grace and done by the next worker; nothing of it was committed."""
    await publisher.publish_all([first_partition(poke("short", 0)), first_partition(poke("long", 0, sleep_ms=6_000))])
    await publisher.publish(first_partition(poke("medium", 0, sleep_ms=1_200)))
    worker = await fleet.start("plain", CLAW_SHUTDOWN_GRACE_S="1.5")
    await effects.reach("plain", 1)
    began = time.monotonic()
    assert await fleet.stop(worker) == 0
    assert time.monotonic() - began < 5
    assert (await effects.counts("plain"))["effects"] == 2, "the medium one ended in the grace"
    assert await committed(lane_settings, "plain") == {0: 1}
    heir = await fleet.start("plain")
    await fleet.logged(heir, "lane_started", timeout_s=10)
    assert await effects.reach("plain", 3) == {"runs": 4, "effects": 3}


async def test_a_rebalance_waits_for_nobody_and_repeats_nothing(fleet, publisher, effects):
    """Finished work is committed before its partition moves; work that runs goes on, here when the partition stays, under its lease when it
    moves: then the new owner waits for it.
    """
    first = await fleet.start("chaos")
    await fleet.logged(first, "lane_started")
    await publisher.publish_all([poke(f"k{n}", 0) for n in range(200)])
    for agent in ("plain", "leased"):
        await effects.reach(agent, 200)
    await publisher.publish_all([poke(f"slow{n}", 0, sleep_ms=40_000) for n in range(8)])
    await asyncio.sleep(1)
    began = time.monotonic()
    second = await fleet.start("chaos")
    await fleet.logged(second, "partitions_assigned")
    assert time.monotonic() - began < 8 * 4
    assert (await effects.counts("leased"))["effects"] == 200, "the slow ones still run"
    for agent in ("plain", "leased"):
        await effects.reach(agent, 208)
    await asyncio.sleep(1)
    counts = await effects.counts("plain")
    assert counts["effects"] == 208
    assert counts["runs"] <= 216, "nothing that had finished ran again"


async def test_a_slow_backlog_does_not_starve_another_topic_of_the_worker(fleet, publisher, effects):
    """S1, S3: windows full of slow events hold their partitions, not the worker."""
    await publisher.publish_all([poke(f"k{n}", 0, sleep_ms=500) for n in range(6_000)])
    worker = await fleet.start("two")
    await fleet.logged(worker, "lane_started")
    await effects.reach("plain", 10)
    began = time.monotonic()
    await publisher.publish_all([poke(f"q{n}", 0, topic=OTHER) for n in range(100)])
    await effects.reach("quick", 100, timeout_s=10)
    assert time.monotonic() - began < 4
    assert await fleet.stop(worker, 15) == 0


async def test_a_worker_that_stands_still_ends_itself(fleet, publisher):
    worker = await fleet.start("plain", CLAW_LANE_STUCK_S="3", CLAW_SHUTDOWN_GRACE_S="0.5")
    await fleet.logged(worker, "lane_started")
    await publisher.publish(poke("k", 0, sleep_ms=60_000))
    async with asyncio.timeout(20):
        assert await worker.wait() == EXIT_STUCK


@pytest.mark.timeout(150)
async def test_an_event_that_ends_its_process_is_found_and_its_neighbours_are_handled(fleet, publisher, effects, dead_letters):
    await publisher.publish_all([first_partition(poke(f"k{n}", 0, die=n == 5, sleep_ms=20)) for n in range(10)])
    deaths = 0
    while True:
        worker = await fleet.start("plain", CLAW_LANE_INSTANCE="one")  # which waits for no session of the dead one
        ended = asyncio.ensure_future(worker.wait())
        handled = asyncio.ensure_future(effects.reach("plain", 9, timeout_s=40))
        await asyncio.wait((ended, handled), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await handled
            async with asyncio.timeout(40):
                while worker.returncode is None and not (letters := await dead_letters()):
                    await asyncio.sleep(0.2)
            if worker.returncode is None:
                break
        handled.cancel()
        assert await ended == 1
        deaths += 1
    assert deaths == 3
    (letter,) = letters
    assert dict(letter.headers)["code"] == b"event_poisonous"
    assert (await effects.counts("plain"))["effects"] == 9
    assert await fleet.stop(worker) == 0


async def test_a_worker_refuses_to_start_without_its_topics(settings, publisher, redis):
    """S5: stock Faust ignores a missing topic for minutes."""
    missing = Topic("test.missing.v1", "k", Poked, ("tests",), "Never created.", 1_000)
    alone = msgspec.structs.replace(settings, lanes=settings.lanes)
    known = lane("plain", redis, settings.redis.key_prefix)
    broken = type(known)("plain", (poking("plain", redis, "p", topic=missing),), nothing, nothing)
    worker = Worker(alone, broken, publisher, redis, SystemClock())
    with pytest.raises(ConfigurationError, match=r"test\.missing\.v1 do not exist: run `claw topics apply`"):
        await worker.run(asyncio.Event())
