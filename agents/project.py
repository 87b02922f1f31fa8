"""every topic with a record (domain/areas.py) -> project -> record tables

The projector brings the record tables up to every record of ``domain.areas.RECORDS``. A writer that reads its own writes has already put
the same row with the same order there; the greater order stays. Messages of a deleted conversation become tombstones on the log, also
those that were on their way when it was deleted.
"""

import asyncio
from collections.abc import Sequence

from domain import composition
from domain.areas import RECORDS
from domain.chats.erasure import erase, publish_tombstones
from domain.documents.open_documents import OpenDocuments
from domain.documents.storage import Storage
from domain.read_models import ReadModels
from schemas.chats import MessageChanged
from schemas.documents import DocumentProgressed
from schemas.events import Event
from schemas.records import ConversationChanged
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

READS = tuple(dict.fromkeys(record.topic for record in RECORDS))

WORKER_GROUP = "tables"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of the record tables."""
    views, documents = ports.get(composition.read_models), ports.get(composition.open_documents)
    return (agent(views, documents, Storage(ports.redis, ports.prefix)),)


def agent(views: ReadModels, documents: OpenDocuments, storage: Storage) -> Agent:
    """Never looks at deltas: reading and discarding them would cost as much as the API does."""

    async def step(event: Event, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[Event, Context]]) -> Sequence[Sequence[Outgoing]]:
        late = await views.apply_many([(event, context.place) for event, context in events])
        publisher = events[0][1].publisher
        for event in late:
            if isinstance(event, MessageChanged):
                await publish_tombstones(publisher, event.data.conversation_id, [event.data.id])
        for event, _ in events:
            if isinstance(event, ConversationChanged) and event.data.deleted:
                await erase(publisher, views.messages, event.tenant, event.data.id)
        progressed = [event for event, _ in events if isinstance(event, DocumentProgressed)]
        await asyncio.gather(documents.apply_many(progressed), storage.apply_many(progressed))
        return [()] * len(events)

    return Agent(name="project", reads=READS, step=step, step_many=step_many, together_max=256, by_turns=False)
