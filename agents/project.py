"""every topic with a record (domain/areas.py), documents.versions -> project -> record tables, the table of tasks, stored bytes

The projector brings the record tables up to every record of ``domain.areas.RECORDS``. A writer that reads its own writes has already put
the same row with the same order there; the greater order stays. Messages of a deleted conversation become tombstones on the log, also
that were on their way when it was deleted. An older record that comes behind a newer one of its key is followed by the newer one again.
What these events say of tasks goes into the table of tasks, so that they are read once; ``track`` reads the topics without a record.
"""

import asyncio
from collections.abc import Sequence

import structlog

from domain import composition
from domain.areas import RECORDS
from domain.chats.erasure import erase, publish_tombstones
from domain.documents.open_documents import OpenDocuments
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_VERSIONS
from domain.read_models import ReadModels
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from domain.tasks.table import TaskTable
from schemas.chats import MessageChanged
from schemas.documents import DocumentProgressed, DocumentVersionsKept
from schemas.events import Event
from schemas.records import ConversationChanged
from streams.log.outgoing import Outgoing
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.compaction import NewestLast

READS = (*dict.fromkeys(record.topic for record in RECORDS), DOCUMENTS_VERSIONS)

WORKER_GROUP = "tables"

log = structlog.get_logger(__name__)


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the record tables."""
    views, documents = ports.get(composition.read_models), ports.get(composition.open_documents)
    newest_last = NewestLast(RECORDS, lambda topic: RangeReader(ports.settings.kafka, topic))
    tasks = ports.get(composition.task_table) if ports.settings.of(TaskSettings).tracked else None
    return (agent(views, documents, Storage(ports.redis, ports.prefix), newest_last, tasks),)


def agent(views: ReadModels, documents: OpenDocuments, storage: Storage, newest_last: NewestLast, tasks: TaskTable | None = None) -> Agent:
    """Never looks at deltas: reading and discarding them would cost as much as the API does."""

    async def step(event: Event, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[Event, Context]]) -> Sequence[Sequence[Outgoing]]:
        late = await views.apply_many([(event, context.place) for event, context in events])
        publisher, refused = events[0][1].publisher, {id(event) for event in late}
        for event in late:
            if isinstance(event, MessageChanged):
                await publish_tombstones(publisher, event.data.conversation_id, [event.data.id])
        for event, _ in events:
            if isinstance(event, ConversationChanged) and event.data.deleted:
                await erase(publisher, views.messages, event.tenant, event.data.id)
        for event, context in events:
            newer = None if id(event) in refused else await newest_last.repair(event, context.place)
            if newer is not None:
                log.info("record_repeated", topic=newer.topic.name, subject=event.subject, place=context.place.offset)
                await publisher.publish(newer)
        await _follow_documents(documents, storage, [event for event, _ in events if isinstance(event, DocumentProgressed)])
        await storage.apply_kept([event for event, _ in events if isinstance(event, DocumentVersionsKept)])
        puts = [put for event, context in events for put in steps_of(event, context.place)] if tasks is not None else []
        if tasks is not None and puts:
            await tasks.put_many(puts, events[0][1].clock.now())
        return [()] * len(events)

    return Agent(name="project", reads=READS, step=step, step_many=step_many, together_max=256, by_turns=False)


async def _follow_documents(documents: OpenDocuments, storage: Storage, events: Sequence[DocumentProgressed]) -> None:
    if events:
        await asyncio.gather(documents.apply_many(events), storage.apply_many(events))
