"""Watching the progress of a knowledge base's documents: ``claw.documents.progressed.v1`` and the table of documents."""

from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from api.chats.estimates import Estimates
from api.http.access import Access
from api.http.identity import Caller
from api.http.watch import TopicWatch
from domain.documents.records import has_version, progress_order
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.read_models import ReadModels
from schemas.bodies.streams import ProgressSnapshot, ProgressView
from schemas.documents import DocumentProgressed, Progress, State
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings

SCAN_PAGE, SCAN_MAX = 1_000, 5_000  # documents that a snapshot counts, the newest first
OPEN_MAX = 500  # documents that a snapshot lists
FINAL_STATES: frozenset[State] = frozenset({"indexed", "unchanged", "failed", "deleted"})

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(DocumentProgressed).decode


def watch_progress(kafka: KafkaSettings) -> TopicWatch[Progress]:
    """The watch of one process; its groups are knowledge bases."""
    return TopicWatch(kafka, DOCUMENTS_PROGRESSED, _group_of_key, _decode_progress)


def group_of(tenant: str, knowledge_base_id: str) -> bytes:
    """The group of a knowledge base: the beginning of its documents' keys."""
    return f"{tenant}/{knowledge_base_id}/".encode()


class WatchedKnowledgeBase:
    """One stream's view of a knowledge base."""

    def __init__(self, read_models: ReadModels, access: Access, estimates: Estimates, caller: Caller, knowledge_base_id: str) -> None:
        self._read_models, self._access, self._estimates = read_models, access, estimates
        self._caller, self._knowledge_base_id = caller, knowledge_base_id

    @property
    def group(self) -> bytes:
        """The group of its records."""
        return group_of(self._caller.tenant, self._knowledge_base_id)

    async def check_access(self) -> None:
        """Raises Refused when sharing has ended or the knowledge base was deleted."""
        try:
            await self._access.find_knowledge_base(self._caller, self._knowledge_base_id)
        except Unavailable:
            return  # unknown for now; the next check decides

    async def update(self, data: Progress) -> tuple[str, ProgressView]:
        """``progress``: one step of a document."""
        return "progress", await self._view(data)

    async def snapshot(self, take_recent: Callable[[], list[Progress]]) -> ProgressSnapshot | None:
        """The state of every document; None while Redis is down."""
        try:
            known, total = await self._read_documents()
        except Unavailable as error:
            log.warning("snapshot_not_made", cause=str(error))
            return None
        complete = total <= len(known)  # of the tables
        for progress in take_recent():
            before = known.get(progress.document_id)
            if before is None or progress_order(before) < progress_order(progress):
                known[progress.document_id] = progress
        present = [progress for progress in known.values() if progress.state != "deleted"]
        pending = sorted((each for each in present if each.state not in FINAL_STATES), key=lambda each: each.version, reverse=True)
        return ProgressSnapshot(
            knowledge_base_id=self._knowledge_base_id,
            documents=len(present) if complete else max(total, len(present)),
            counts=dict(Counter(progress.state for progress in present)),
            complete=complete,
            open=tuple([await self._view(progress) for progress in pending[:OPEN_MAX]]),
        )

    async def _read_documents(self) -> tuple[dict[str, Progress], int]:
        """The newest documents in the table, and how many there are."""
        scope, cursor = f"{self._caller.tenant}/{self._knowledge_base_id}", ""
        known: dict[str, Progress] = {}
        total = await self._read_models.documents.count(scope)
        while len(known) < SCAN_MAX:
            page = await self._read_models.documents.list(scope, limit=SCAN_PAGE, cursor=cursor)
            known.update((progress.document_id, progress) for progress in page.items)
            cursor = page.next_cursor
            if not cursor:
                return known, len(known)
        return known, max(total, len(known) + 1)

    async def _view(self, progress: Progress) -> ProgressView:
        return ProgressView.of(progress, await self._estimates.open_document_wait_s(self._caller.tenant, progress.queue, progress.state))


def _group_of_key(key: bytes) -> bytes:
    return key[: key.find(b"/", key.find(b"/") + 1) + 1]


def _decode_progress(value: bytes) -> Progress | None:
    """None for a value that is not such an event, or has no version."""
    try:
        event = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("progress_undecodable", error=str(error))
        return None
    return event.data if has_version(event) else None
