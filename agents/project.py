"""every *.changed topic, feedback.given, documents.progressed -> project -> record tables

Makes records readable in Redis. Writers that need to read their own writes have already put the same record with the same order there;
the higher order wins whatever comes first. Of a deleted conversation's messages it leaves tombstones on the log, also of those that were
on their way when it was deleted.
"""

import asyncio
from collections.abc import Sequence

from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.chats.erasure import erase, publish_tombstones
from domain.chats.topics import CONVERSATIONS_CHANGED, FEEDBACK_GIVEN, MESSAGES_CHANGED
from domain.documents.open_documents import OpenDocuments
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.read_models import ReadModels
from schemas.documents import DocumentProgressed
from schemas.events import Event
from schemas.records import ConversationChanged
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context


def agent(views: ReadModels, documents: OpenDocuments, storage: Storage) -> Agent:
    """Never looks at deltas: reading and discarding them would cost as much as the API does."""

    async def step(event: Event, context: Context) -> Sequence[Outgoing]:
        await step_many([(event, context)])
        return []

    async def step_many(events: Sequence[tuple[Event, Context]]) -> Sequence[Sequence[Outgoing]]:
        late = await views.apply_many([(event, context.place) for event, context in events])
        publisher = events[0][1].publisher
        for message in late:
            await publish_tombstones(publisher, message.data.conversation_id, [message.data.id])
        for event, _ in events:
            if isinstance(event, ConversationChanged) and event.data.deleted:
                await erase(publisher, views.messages, event.tenant, event.data.id)
        progressed = [event for event, _ in events if isinstance(event, DocumentProgressed)]
        await asyncio.gather(documents.apply_many(progressed), storage.apply_many(progressed))
        return [()] * len(events)

    reads = (
        ACCOUNTS_CHANGED,
        CREDENTIALS_CHANGED,
        KNOWLEDGE_CHANGED,
        CONVERSATIONS_CHANGED,
        MESSAGES_CHANGED,
        FEEDBACK_GIVEN,
        DOCUMENTS_PROGRESSED,
    )
    return Agent(name="project", reads=reads, step=step, step_many=step_many, together_max=256)
