"""``claw worker --lane NAME``: one worker of a worker group in this process."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import uvloop

from adapters.redis.client import connect
from domain import composition
from domain.areas import TOPICS
from domain.configs.stages import ProcessName
from domain.configuration import follow_settings, report_configs
from ops.commands import inbox
from ops.processes import logs, runtime, worker_groups
from ops.processes.redis_version import check_server
from schemas.errors import Unavailable
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.connection import Backoff
from streams.log.outage import OutageLog
from streams.log.publisher import KafkaPublisher
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.worker import Worker

DISCOVER_AGAIN_S_MIN, DISCOVER_AGAIN_S_MAX = 0.2, 1.0
NICENESS = {"documents": 10, "tables": 5}  # answers that people wait for come before documents


def run(settings: Settings, name: str) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code of streams.runtime.worker.Worker."""
    logs.configure(settings.node, name)
    os.nice(NICENESS.get(name, 0))
    runtime.prepare()
    return uvloop.run(_run(settings, name))


async def _run(settings: Settings, name: str) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if name == inbox.LANE:
        settings = await _discover_inboxes(settings, stop)
    await check_server(settings.redis)
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        live = follow_settings(settings)
        stack.push_async_callback(live.stop)
        reading = asyncio.ensure_future(live.start())
        await publisher.start()
        await _wait_unless_stopped(reading, stop)
        settings, clock = live.settings, SystemClock()
        ports = AgentPorts(settings, redis, publisher, clock)
        ports.provide(composition.live_settings, live)
        group = worker_groups.build_worker_group(name, ports)
        runtime.tune_gc()
        worker = Worker(settings, group, publisher, redis, clock)
        reporter = report_configs(live, redis, ProcessName(worker.id, name), clock, worker.registries)
        stack.push_async_callback(reporter.stop)
        await reporter.start()
        return await worker.run(stop)


async def _wait_unless_stopped(work: asyncio.Future[None], stop: asyncio.Event) -> None:
    """Wait for ``work``; a request to stop cancels it."""
    asked = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))
    if not work.cancelled():
        work.result()


async def _discover_inboxes(settings: Settings, stop: asyncio.Event) -> Settings:
    """The settings with the inboxes that exist, as soon as the broker answers; unchanged after a request to stop."""
    backoff, outage = Backoff(DISCOVER_AGAIN_S_MIN, DISCOVER_AGAIN_S_MAX), OutageLog("inboxes_unknown")
    while not stop.is_set():
        try:
            discovered = await inbox.with_discovered_inboxes(settings)
        except Unavailable as error:
            outage.report(error.detail)
            await backoff.wait()
        else:
            outage.end()
            return discovered
    return settings
