"""erasures.changed -> erase -> tombstones and last states on every topic with records of a person, Redis, files, index -> erasures.changed

The agent puts the record of each erasure and sets its timer; the schedule beside it does what is due, a round at a time. Each round reads
the whole log, so a worker that dies, an event that comes late, and a Redis that lost its timers cost a round and nothing else.
"""

from collections.abc import Sequence

from domain import composition
from domain.eraser.eraser import Eraser
from domain.eraser.index_place import AskedIndex
from domain.eraser.schedule import NAME, ErasureSchedule
from domain.erasures.timing import erasure_timers
from domain.erasures.topics import ERASURES_CHANGED
from domain.retrieval.index_client import IndexClient
from schemas.erasures import ErasureChanged
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.projection import Tables

WORKER_GROUP = "documents"  # it has the files and the secret that encrypts addresses, and nobody waits for an answer there


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the schedule and its client of the index."""
    tables, records = ports.get(composition.read_models), ports.get(composition.record_writer)
    client = ports.attach(IndexClient(ports.settings.kafka, ports.publisher, ports.clock))
    index = AskedIndex(client, ports.get(composition.collection_catalogue))
    blobs = ports.get(composition.blob_store)
    eraser = Eraser(ports.settings, ports.redis, ports.publisher, tables, records, blobs, index, ports.clock)
    schedule = ErasureSchedule(ports.settings, eraser, erasure_timers(ports.redis, ports.prefix), tables, records, ports.clock)
    ports.attach(schedule)
    return (agent(tables, schedule),)


def agent(tables: Tables, schedule: ErasureSchedule) -> Agent:
    """The record comes first: what is due is looked up in it."""

    async def step(event: ErasureChanged, context: Context) -> Sequence[Outgoing]:
        await tables.apply(event, context.place)
        await schedule.add(event.data, context.place.partition)
        return []

    return Agent(name=NAME, reads=(ERASURES_CHANGED,), step=step, assigned=schedule.loop.take_assignment)
