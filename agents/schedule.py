"""schedules.changed -> schedule -> schedules.ticked

The agent sets the timer of a schedule that was created or changed, which takes a round trip to Redis; the ticker beside it publishes the
ticks that are due. A worker that gets a partition goes on where the last one stopped.
"""

import secrets
from collections.abc import Sequence

from domain import composition
from domain.schedules.defaults import DefaultSchedules
from domain.schedules.settings import ScheduleSettings
from domain.schedules.ticker import NAME, ScheduleTimers, Ticker, schedule_timers
from domain.schedules.topics import SCHEDULES_CHANGED
from schemas.schedules import ScheduleChanged
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.timer_loop import TimerLoop
from streams.tables.projection import Tables

WORKER_GROUP = "tables"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the ticker."""
    settings = ports.settings.of(ScheduleSettings)
    tables, records = ports.get(composition.read_models), ports.get(composition.record_writer)
    timers = schedule_timers(ports.redis, ports.prefix)
    ticker = Ticker(settings, timers, tables, records, ports.clock, random_bytes=secrets.token_bytes, registry=ports.registry)
    ports.attach(ticker)
    if settings.installed:
        ports.attach(DefaultSchedules(tables, records, ports.clock, secrets.token_bytes, NAME))
    return (agent(tables, timers, ticker.loop),)


def agent(tables: Tables, timers: ScheduleTimers, loop: TimerLoop) -> Agent:
    """The records come first: the ticker looks them up."""

    async def step(event: ScheduleChanged, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[ScheduleChanged, Context]]) -> Sequence[Sequence[Outgoing]]:
        await tables.apply_many([(event, context.place) for event, context in events])
        await timers.look_at([(event.data, context.place.partition) for event, context in events])
        loop.wake()
        return [()] * len(events)

    return Agent(name=NAME, reads=(SCHEDULES_CHANGED,), step=step, step_many=step_many, assigned=loop.take_assignment)
