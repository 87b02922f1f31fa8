"""documents.submitted -> route -> documents.queued.{express,bulk}, documents.embedded (removals), documents.progressed

The offset of a submission becomes its version. A withdrawal hides the document at once, in the visibility record, never behind a parse;
its points are removed afterwards. Machines, and tenants with much in flight, go to the bulk lane so that people never wait for them.
"""

from collections.abc import Sequence

from schemas import ids
from schemas.documents import (
    DocumentProgressed,
    DocumentQueued,
    DocumentRemovalRequested,
    DocumentSubmitted,
    DocumentWithdrawn,
    Lane,
    Progress,
    Removal,
    Submitted,
    Work,
)
from schemas.errors import Problem
from streams.agent import Agent, Context, Outgoing
from streams.topics import DOCUMENTS_EMBEDDED, DOCUMENTS_PROGRESSED, DOCUMENTS_QUEUED_BULK, DOCUMENTS_QUEUED_EXPRESS, DOCUMENTS_SUBMITTED
from streams.visibility import Visibility

IN_FLIGHT_EXPRESS_MAX = 64  # documents of one tenant on their way; the next ones go to bulk
NAME = "route"


def agent(visibility: Visibility) -> Agent:
    """One Redis round trip a document, then the work is on its lane."""

    async def step(event: Submitted, context: Context) -> Sequence[Outgoing]:
        version = context.place.offset
        if isinstance(event, DocumentWithdrawn):
            await visibility.withdrawn(event.subject, version)
            return withdrawal(event, version, context)
        await visibility.submitted(event.subject, version)
        in_flight = await visibility.enter(event.tenant, event.subject, version)
        lane: Lane = "bulk" if event.data.origin == "inbox" or in_flight > IN_FLIGHT_EXPRESS_MAX else "express"
        return submission(event, version, lane, context)

    async def failed(event: Submitted, problem: Problem, context: Context) -> Sequence[Outgoing]:
        data = event.data
        progress = Progress(
            knowledge_base_id=data.knowledge_base_id,
            document_id=data.document_id,
            version=context.place.offset,
            state="failed",
            task_id=ids.task_id(event.id),
            cause=problem,
        )
        return [
            Outgoing(DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, NAME, data=progress, now=context.clock.now(), ordinal=9))
        ]

    return Agent(name=NAME, reads=(DOCUMENTS_SUBMITTED,), step=step, failed=failed)


def submission(event: DocumentSubmitted, version: int, lane: Lane, context: Context) -> list[Outgoing]:
    """The work, and the news that it is queued."""
    now = context.clock.now()
    work = Work(version=version, lane=lane, task_id=ids.task_id(event.id), document=event.data)
    topic = DOCUMENTS_QUEUED_EXPRESS if lane == "express" else DOCUMENTS_QUEUED_BULK
    return [
        Outgoing(DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, NAME, data=Progress.of_work(work, "queued"), now=now)),
        Outgoing(topic, DocumentQueued.caused_by(event, NAME, data=work, now=now)),
    ]


def withdrawal(event: DocumentWithdrawn, version: int, context: Context) -> list[Outgoing]:
    """The news that it is gone, and the request to remove its points."""
    data, now = event.data, context.clock.now()
    kb, document = data.knowledge_base_id, data.document_id
    progress = Progress(knowledge_base_id=kb, document_id=document, version=version, state="deleted", task_id=ids.task_id(event.id))
    removal = Removal(knowledge_base_id=kb, document_id=document, version=version)
    return [
        Outgoing(DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, NAME, data=progress, now=now)),
        Outgoing(DOCUMENTS_EMBEDDED, DocumentRemovalRequested.caused_by(event, NAME, data=removal, now=now)),
    ]
