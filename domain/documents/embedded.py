"""Chunks with their vectors, as an event for ``index``."""

from datetime import datetime

from domain.documents.topics import DOCUMENTS_EMBEDDED
from schemas.documents import DocumentEmbedded, EmbeddedBatch
from schemas.events import Event
from streams.log.outgoing import Outgoing


def embedded_event(cause: Event, agent: str, data: EmbeddedBatch, now: datetime, ordinal: int) -> Outgoing:
    """The event of the ``ordinal``-th batch. A repeat that finds other vectors to reuse is another event."""
    event = DocumentEmbedded.from_cause(cause, agent, data=data, now=now, ordinal=ordinal)
    reused = bytes(not vectors for vectors in data.vectors)
    return Outgoing(DOCUMENTS_EMBEDDED, event.with_content_id(reused))
