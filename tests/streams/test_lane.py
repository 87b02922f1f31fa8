"""Real workers on the real broker: what stock Faust loses, strands and repeats does not happen to us."""

from tests.streams.conftest import poke


async def test_a_worker_handles_what_is_on_the_log_and_leaves_quickly(fleet, publisher, effects):
    await publisher.publish_all([poke(f"k{n % 5}", n // 5) for n in range(50)])
    worker = await fleet.start("plain")
    await fleet.logged(worker, "lane_started")
    assert await effects.reach("plain", 50) == {"runs": 50, "effects": 50}
    assert [await effects.of("plain", f"k{n}") for n in range(5)] == [list(range(10))] * 5
    assert await fleet.stop(worker) == 0
