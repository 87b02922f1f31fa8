"""The record table of documents: the progress of each."""

from contextlib import suppress

from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import NO_VERSION
from schemas.documents import RANK, DocumentProgressed, Progress
from schemas.errors import Unavailable
from streams.tables.projection import Record
from streams.tables.record_table import RecordTable, order_of

DONE_MAX = 10**9  # chunks of a version
RETRIED = 4  # a rank above those of work in its first run, below those of ends


def has_version(event: DocumentProgressed) -> bool:
    """False for a record refused at the inbox: its sender is notified, but the document, if there is one, does not change."""
    return event.data.version > NO_VERSION


def progress_order(progress: Progress) -> str:
    """Newer versions first, then how far one has come; a deletion that counts what it removed comes after one that could not yet. Work in
    a later retry comes after all earlier work, whatever its state, and before every end.
    """
    rank = RANK[progress.state]
    if progress.retries and rank < RANK["failed"]:
        stage = 0 if progress.retry_at is not None else rank
        return order_of(progress.version, RETRIED, (progress.retries * RETRIED + stage) * DONE_MAX + min(progress.done, DONE_MAX - 1))
    return order_of(progress.version, rank, progress.done + progress.removed)


DOCUMENTS = Record(
    table="documents",
    topic=DOCUMENTS_PROGRESSED,
    event=DocumentProgressed,
    type=Progress,
    scope=lambda event: f"{event.tenant}/{event.data.knowledge_base_id}",
    id=lambda event: event.data.document_id,
    gone=lambda event: event.data.state == "deleted",
    applies=has_version,
    order=lambda event, _offset: progress_order(event.data),
    rank=lambda event, _offset: float(event.data.version),
)


async def show_progress(documents: RecordTable[Progress], tenant: str, progress: Progress) -> None:
    """Write the row that the projector will write from the event, with the same order, where somebody is waiting to read it.

    While Redis is down nothing is written: the projector follows the log.
    """
    scope, order, rank = f"{tenant}/{progress.knowledge_base_id}", progress_order(progress), float(progress.version)
    with suppress(Unavailable):
        await documents.put(scope, progress.document_id, progress, order=order, rank=rank)
