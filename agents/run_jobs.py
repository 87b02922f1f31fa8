"""schedules.ticked, jobs.changed -> run_jobs -> jobs.changed, and what the actions of jobs write

A tick begins a job, or is skipped, by the overlap policy of its schedule; jobs of requests are begun by the API. The agent enters when
their next steps are due; the runner beside it makes them. So no event waits for a job, and a worker that gets a partition goes on where the
last one stopped.
"""

import secrets
from collections.abc import Sequence

from domain import composition
from domain.chats.reply_lock import ReplyLocks
from domain.dead_letters import build_redrive, dead_letter_reader
from domain.documents.submissions import SubmissionLog
from domain.indexes.plans import PlanWriter
from domain.job_actions.bulk import bulk_step
from domain.job_actions.clean_up import clean_up_step
from domain.job_actions.health_check import HealthChecks, health_check_step
from domain.job_actions.rebuild import rebuild_step
from domain.job_actions.redrive import redrive_step
from domain.job_actions.runs import begin_run
from domain.job_actions.task_actions import TaskActions
from domain.jobs.runner import NAME, JobRunner, JobStep, JobTimers, JobWriter
from domain.jobs.settings import JobSettings
from domain.jobs.topics import JOBS_CHANGED
from domain.schedules.topics import SCHEDULES_TICKED
from schemas.jobs import BulkAction, CleanUpAction, HealthCheckAction, JobChanged, RebuildAction, RedriveAction
from schemas.schedules import ScheduleTicked
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.timer_loop import TimerLoop
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter
from streams.topics import Topic

WORKER_GROUP = "documents"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the runner and the actions."""
    tables, records = ports.get(composition.read_models), ports.get(composition.record_writer)
    timers = JobTimers(ports.redis, ports.prefix)
    writer = JobWriter(tables, records, ports.clock, secrets.token_bytes, NAME)
    settings = ports.settings.of(JobSettings)
    runner = JobRunner(settings, timers, tables, writer, _build_actions(ports, writer), ports.clock, registry=ports.registry)
    return (agent(tables, records, timers, writer, ports.attach(runner).loop),)


def _build_actions(ports: AgentPorts, writer: JobWriter) -> dict[type, JobStep]:
    settings, clock, tables = ports.settings, ports.clock, ports.get(composition.read_models)
    records, blobs, catalogue = (
        ports.get(composition.record_writer),
        ports.get(composition.blob_store),
        ports.get(composition.collection_catalogue),
    )
    plans = PlanWriter(catalogue, records, ports.publisher, clock, secrets.token_bytes, NAME)
    letters = dead_letter_reader(settings.kafka)
    sender = build_redrive(settings.kafka, ports.publisher, ports.get(composition.visibility), ports.redis, ports.prefix, clock)
    checks = HealthChecks(settings, ports.redis, ports.get(composition.logged_epoch), catalogue, blobs)
    tasks = ports.get(composition.task_table)
    task_actions = TaskActions(
        *(tables, tasks, ports.get(composition.visibility), ReplyLocks(ports.redis, ports.prefix), plans, writer),
        *(SubmissionLog(settings.kafka), ports.publisher, settings.retrieval, clock, secrets.token_bytes),
    )
    return {
        BulkAction: bulk_step(tasks, task_actions, letters, sender, clock),
        RebuildAction: rebuild_step(tables, catalogue, plans, settings.retrieval, clock),
        RedriveAction: redrive_step(letters, sender, clock),
        CleanUpAction: clean_up_step(blobs, ports.redis, ports.prefix, tables, records, clock, secrets.token_bytes),
        HealthCheckAction: health_check_step(checks, tables, ports.publisher, clock, secrets.token_bytes),
    }


def agent(tables: Tables, records: RecordWriter, timers: JobTimers, writer: JobWriter, loop: TimerLoop) -> Agent:
    """The records come first: the runner looks them up."""

    async def step(event: ScheduleTicked | JobChanged, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[ScheduleTicked | JobChanged, Context]]) -> Sequence[Sequence[Outgoing]]:
        await tables.apply_many([(event, context.place) for event, context in events])
        changed = [(event.data, context.place.partition) for event, context in events if isinstance(event, JobChanged)]
        await timers.apply_many(changed)
        if changed:
            loop.wake()
        for event, context in events:
            if isinstance(event, ScheduleTicked):
                tick, now = event.data, context.clock.now()
                await begin_run(tick.tenant, tick.schedule_id, tick.id, tables, records, writer, now, tick=tick)
        return [()] * len(events)

    async def take_partition(topic: Topic, partition: int) -> None:
        if topic is JOBS_CHANGED:
            await loop.take_partition(partition)

    return Agent(name=NAME, reads=(SCHEDULES_TICKED, JOBS_CHANGED), step=step, step_many=step_many, assigned=take_partition)
