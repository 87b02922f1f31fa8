"""Document events: from the record of what was submitted to points ready for the index. Subject and key: ``tenant/kb/document``."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from schemas.errors import Problem
from schemas.events import Event

Lane = Literal["express", "bulk"]
MediaType = Literal["text/plain", "text/markdown", "text/html"]
# Its owner's name for it: printable, no slash. The end says that Python's `$` also stands before a last line feed.
DocumentId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\x00-\x1f\x7f]+$(?!\n)")]
State = Literal["queued", "parsing", "embedding", "indexed", "unchanged", "failed", "deleted"]


class Document(Struct, frozen=True, kw_only=True):
    """A document as its owner gave it."""

    knowledge_base_id: str
    document_id: str
    title: str
    media_type: MediaType = "text/plain"
    text: str
    origin: Literal["api", "inbox"] = "api"
    submitted_by: str = ""  # account id; empty for an upstream system
    metadata: dict[str, str] = field(default_factory=dict)


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A document taken back by its owner."""

    knowledge_base_id: str
    document_id: str
    origin: Literal["api", "inbox"] = "api"
    requested_by: str = ""


class Work(Struct, frozen=True, kw_only=True):
    """A version on its way to the index. ``version`` is the offset of the submission: later ones are higher."""

    version: int
    lane: Lane
    task_id: str = ""
    document: Document


class Chunk(Struct, frozen=True, kw_only=True):
    """A searchable piece of a document. ``text`` is literal document text (quotes are found in it); ``headings`` outermost first."""

    ordinal: int
    text: str
    headings: tuple[str, ...] = ()
    start: int = 0  # character offset of ``text`` in the document's parsed text
    tokens: int = 0


class ChunkBatch(Struct, frozen=True, kw_only=True):
    """Consecutive chunks of one version, at most 256 KB encoded. ``total`` counts the whole version's chunks."""

    knowledge_base_id: str
    document_id: str
    version: int
    lane: Lane
    title: str
    media_type: str = ""
    bytes: int = 0
    task_id: str = ""
    first: int
    total: int
    last: bool
    chunks: tuple[Chunk, ...]


class Vectors(Struct, frozen=True, kw_only=True):
    """Vectors of one chunk, base64 of little-endian arrays: ``dense`` float32, ``indices`` uint32, ``values`` float32."""

    dense: str
    indices: str
    values: str


class EmbeddedBatch(Struct, frozen=True, kw_only=True):
    """A chunk batch with its vectors, one per chunk in the same order. ``model`` names the embedding and its parameters."""

    batch: ChunkBatch
    model: str
    vectors: tuple[Vectors, ...]


class Removal(Struct, frozen=True, kw_only=True):
    """Points of this document up to and including ``version`` must leave the index."""

    knowledge_base_id: str
    document_id: str
    version: int


class Progress(Struct, frozen=True, kw_only=True):
    """Where a version stands. Readers keep the highest (version, rank of state)."""

    knowledge_base_id: str
    document_id: str
    version: int
    state: State
    title: str = ""
    media_type: str = ""
    lane: Lane = "express"
    bytes: int = 0
    chunks: int = 0
    removed: int = 0  # points removed from the index
    task_id: str = ""
    cause: Problem | None = None

    @classmethod
    def of_work(cls, work: Work, state: State, *, cause: Problem | None = None) -> "Progress":
        """Where a queued version stands."""
        document = work.document
        return cls(
            knowledge_base_id=document.knowledge_base_id,
            document_id=document.document_id,
            version=work.version,
            state=state,
            title=document.title,
            media_type=document.media_type,
            lane=work.lane,
            bytes=len(document.text.encode()),
            task_id=work.task_id,
            cause=cause,
        )

    @classmethod
    def of_batch(cls, batch: ChunkBatch, state: State, *, removed: int = 0, cause: Problem | None = None) -> "Progress":
        """Where a chunked version stands."""
        return cls(
            knowledge_base_id=batch.knowledge_base_id,
            document_id=batch.document_id,
            version=batch.version,
            state=state,
            title=batch.title,
            media_type=batch.media_type,
            lane=batch.lane,
            bytes=batch.bytes,
            chunks=batch.total,
            removed=removed,
            task_id=batch.task_id,
            cause=cause,
        )


class DocumentSubmitted(Event, tag="claw.document.submitted.v1", frozen=True, kw_only=True):
    """A new document or a new version of one."""

    data: Document


class DocumentWithdrawn(Event, tag="claw.document.withdrawn.v1", frozen=True, kw_only=True):
    """Its owner deleted it."""

    data: Withdrawal


class DocumentQueued(Event, tag="claw.document.queued.v1", frozen=True, kw_only=True):
    """A version waiting to be parsed."""

    data: Work


class DocumentChunked(Event, tag="claw.document.chunked.v1", frozen=True, kw_only=True):
    """A batch of chunks."""

    data: ChunkBatch


class DocumentEmbedded(Event, tag="claw.document.embedded.v1", frozen=True, kw_only=True):
    """A batch of chunks with vectors."""

    data: EmbeddedBatch


class DocumentRemovalRequested(Event, tag="claw.document.removal_requested.v1", frozen=True, kw_only=True):
    """Old points may go: the visibility record already hides them."""

    data: Removal


class DocumentProgressed(Event, tag="claw.document.progressed.v1", frozen=True, kw_only=True):
    """A document's state changed."""

    data: Progress


Submitted = DocumentSubmitted | DocumentWithdrawn
Queued = DocumentQueued
Chunked = DocumentChunked
Embedded = DocumentEmbedded | DocumentRemovalRequested
Progressed = DocumentProgressed

RANK: dict[str, int] = {"queued": 1, "parsing": 2, "embedding": 3, "failed": 8, "unchanged": 9, "indexed": 9, "deleted": 9}
