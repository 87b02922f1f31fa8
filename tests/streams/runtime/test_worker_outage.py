"""The log goes away under a working lane and comes back: nothing crashes, nothing is lost, and a stop in between still ends the process."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import msgspec
import pytest

from ops.commands import topics as administration
from ops.stack import kafka
from ops.stack.child import ComponentProcess
from ops.stack.ports import claim
from streams.log.publisher import KafkaPublisher
from streams.topics import DEAD_LETTERS
from tests.streams.conftest import Fleet, poke
from tests.support.poked import OTHER, POKED


def _end(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.kill()


@pytest.mark.timeout(150)
async def test_a_worker_waits_for_the_log_and_goes_on(lane_settings, tmp_path, effects):
    taken: set[int] = set()
    node = kafka.KafkaNode(tmp_path / "kafka", tmp_path / "kafka.log", claim("kafka", 0, taken), claim("controller", 0, taken))
    settings = msgspec.structs.replace(lane_settings, kafka=node.settings(lane_settings.kafka))
    component = await asyncio.to_thread(kafka.prepare, node, os.environ)
    fleet = Fleet(settings, tmp_path)
    async with AsyncExitStack() as stack:
        broker = ComponentProcess(component)
        stack.push_async_callback(broker.stop)
        await broker.wait_ready()
        await administration.apply(settings.kafka, (POKED, OTHER, DEAD_LETTERS))
        publisher = KafkaPublisher(settings.kafka, topics=(POKED,))
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        worker = await fleet.start("chaos")
        stack.callback(_end, worker)
        await publisher.publish_all([poke(f"k{n}", 0) for n in range(40)])
        await effects.reach("leased", 40)
        await publisher.publish_all([poke(f"k{n}", 1, sleep_ms=3_000) for n in range(40)])
        await asyncio.sleep(1.5)  # they are in work
        broker.signal(signal.SIGKILL)
        await broker.stop()
        await effects.reach("leased", 80)
        await asyncio.sleep(8)
        assert worker.returncode is None
        broker = ComponentProcess(component)
        stack.push_async_callback(broker.stop)
        await broker.wait_ready()
        for _ in range(50):
            if publisher.ready:
                break
            await asyncio.sleep(0.2)
        await publisher.publish_all([poke(f"k{n}", 2) for n in range(40)])
        for agent in ("plain", "leased"):
            await effects.reach(agent, 120, timeout_s=40)
            assert [await effects.of(agent, f"k{n}") for n in range(40)] == [[0, 1, 2]] * 40
        assert worker.returncode is None
        broker.signal(signal.SIGKILL)
        await broker.stop()
        await asyncio.sleep(1)
        assert await fleet.stop(worker) == 0
