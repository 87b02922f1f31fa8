"""Document events: from the record of what was submitted to points ready for the index. Subject and key: ``tenant/kb/document``."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from schemas.errors import Problem
from schemas.events import Event

Lane = Literal["express", "bulk"]
DocumentQueue = Literal["express", "bulk", "slow"]  # ``slow`` is a part of the lane ``bulk``, with a topic of its own
MediaType = Literal["text/plain", "text/markdown", "text/html", "text/csv"]  # of text that travels inside an event
FileType = Literal[
    "",  # to be detected
    "text/plain",
    "text/markdown",
    "text/html",
    "text/csv",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-excel",
    "message/rfc822",
    "application/zip",
    "image/png",
    "image/jpeg",
    "image/tiff",
    "image/gif",
    "image/bmp",
    "image/webp",
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "application/rtf",
    "text/x-rst",
    "text/org",
    "application/xml",
    "application/vnd.ms-outlook",
    "application/msword",
    "application/vnd.ms-powerpoint",
]
# The owner's id of a document: printable, no slash, and no step of a path: browsers and other clients take `/documents/..` for the
# knowledge base, so that deleting the document would delete that. The lookahead at the end is needed because `$` also matches before a
# last line feed.
ID_CHARS_MAX = 200
PATH_STEPS = frozenset({".", ".."})
DocumentId = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX, pattern=r"^(?!\.\.?$)[^/\x00-\x1f\x7f]+$(?!\n)")]
CANCELLED_CODE = "document_cancelled"  # the code of a version that failed because its owner cancelled it
State = Literal["queued", "parsing", "embedding", "indexed", "unchanged", "failed", "deleted"]


class Blob(Struct, frozen=True, kw_only=True):
    """A file in the blob store: its ``path`` there, and the ``sha256`` of its bytes in hex."""

    path: str
    bytes: int
    sha256: str


class InboxRecord(Struct, frozen=True, kw_only=True):
    """The record of an inbox that a submission or withdrawal was made of.

    ``at_ms`` is the record's timestamp, at most the time when it was read; 0 when it has none. ``key_sha256`` is the hash of its key in hex
    when that is not the document's id: the key is then another name, by which a record without a value deletes the document.
    """

    at_ms: int
    partition: int
    offset: int
    key_sha256: str = ""

    def is_older_than(self, other: "InboxRecord") -> bool:
        """Whether it was written before the other: by the offsets in one partition, by the timestamps in two.

        In one partition the timestamps must not contradict: offsets begin again when a topic is made anew.
        """
        if not self.at_ms or not other.at_ms:
            return False
        if self.partition == other.partition:
            return self.offset < other.offset and self.at_ms <= other.at_ms
        return self.at_ms < other.at_ms


class Document(Struct, frozen=True, kw_only=True):
    """A document as its owner gave it: as ``text``, as a file (``blob``), or as the ``url`` of a page that is fetched when it is parsed.

    ``sealed_password`` is the encrypted password of the file; only workers of the group ``documents`` decrypt it. ``force``: process the
    document even if it has not changed.
    """

    knowledge_base_id: str
    document_id: str
    title: str
    media_type: FileType = "text/plain"
    text: str = ""
    blob: Blob | None = None
    url: str = ""
    filename: str = ""  # as uploaded or attached: the type is guessed from it when the content does not show it
    charset: str = ""  # as declared by the sender; a declaration inside the content has precedence
    sealed_password: str = ""
    force: bool = False
    origin: Literal["api", "inbox"] = "api"
    submitted_by: str = ""  # account id; empty for an upstream system
    record: InboxRecord | None = None  # of an upstream system's
    metadata: dict[str, str] = field(default_factory=dict)
    retry_of: str = ""  # the task that this submission repeats

    @property
    def bytes(self) -> int:
        """Size of the file, else of the text in UTF-8; 0 for a page that was not fetched yet."""
        return self.blob.bytes if self.blob else len(self.text.encode())


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A document deleted by its owner."""

    knowledge_base_id: str
    document_id: str
    origin: Literal["api", "inbox"] = "api"
    requested_by: str = ""
    record: InboxRecord | None = None
    retry_of: str = ""  # the task that this deletion repeats


class DocumentAlias(Struct, frozen=True, kw_only=True):
    """The record key of a document in its inbox: the SHA-256 of the key in hex, "" when the key is the document's id."""

    knowledge_base_id: str
    document_id: str
    key_sha256: str = ""


class Shelf(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A collection: one build of a knowledge base's index, and its parameters. 0 and empty: by the settings.

    ``index`` names the index where the points are, if ``embedding`` does not lead there any more: it was built by an earlier embedding or
    another encoding of terms, and is to be rebuilt.
    """

    generation: int = 0
    chunk_tokens: int = 0
    chunk_tokens_max: int = 0
    embedding: str = ""  # local, wordllama, openai, zhipu
    index: str = ""

    @property
    def engine(self) -> str:
        """The name of the engine that holds it: an index, or an embedding; "" is that of the settings."""
        return self.index or self.embedding


class Work(Struct, frozen=True, kw_only=True):
    """A version on its way to the index. ``version`` is the offset of the submission: later ones are higher.

    ``content_hash`` shows whether a later version differs. ``quiet`` work fills a hidden collection (``shelf``): it publishes no progress
    and changes no visibility. ``earlier``: vectors of points of an earlier version may be reused.
    """

    version: int
    lane: Lane
    task_id: str = ""
    document: Document
    content_hash: str = ""
    shelf: Shelf = Shelf()
    quiet: bool = False
    earlier: bool = False
    visible: int = -1  # the version that readers saw when this one was queued; -1 for none
    slow: bool = False  # behind the others of its lane: its tenant has more than its share, or a file of it reached a limit
    retries: int = 0  # how often the version was queued again at a later time

    @property
    def queue(self) -> DocumentQueue:
        """The queue in which it waits to be parsed."""
        return "slow" if self.slow else self.lane


class Locator(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The location of a piece of text in a file; counted from 1. ``part`` is a file inside an archive or a message."""

    page: int = 0
    page_last: int = 0  # 0: the same page
    slide: int = 0
    sheet: str = ""
    cells: str = ""  # A1:C20
    part: str = ""

    def __str__(self) -> str:
        """The location for people: ``report.pdf > p. 3-4``, ``Costs!A1:C20``, ``slide 4``; empty for text without one."""
        pages = f"p. {self.page}-{self.page_last}" if self.page_last > self.page else f"p. {self.page}" if self.page else ""
        cells = f"{self.sheet}!{self.cells}" if self.sheet and self.cells else self.sheet or self.cells
        slide = f"slide {self.slide}" if self.slide else ""
        return " > ".join(filter(None, (self.part, pages, slide, cells)))


class Note(Struct, frozen=True):
    """A part left out of a document that is otherwise searchable, such as ``page_unreadable``: ``pages 3, 7``."""

    code: str
    detail: str


class TablePart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows of a table in ``text[start:end]`` of a chunk or passage, one a line; ``adapters.text.table_rows`` reads them.

    ``number`` counts the tables of a document from 1, over page breaks. Its rows below the header count from 0: ``first`` is the first row
    here, ``total`` counts all of them. ``columns`` are the names in the header, levels joined by `` / ``; () for a list, whose items are
    rows of one cell. ``header`` characters before ``start`` are the header's lines, ``indent`` cells of the first row
    are not in the text: empty ones, or those of a row that the chunk before begins.
    ``caption`` is the sentence or heading that introduces it.
    """

    number: int
    start: int
    end: int
    first: int = 0
    total: int
    columns: tuple[str, ...] = ()
    separator: str = "\t"
    header: int = 0
    indent: int = 0
    caption: str = ""


class Chunk(Struct, frozen=True, kw_only=True):
    """A searchable piece of a document. ``text`` is literal document text (quotes are found in it); ``headings`` outermost first.

    The first ``overlap`` characters are also the end of the chunk before. ``hash`` covers everything that is embedded. ``tables``: where
    rows are in ``text``; records written before there were any have none.
    """

    ordinal: int
    text: str
    headings: tuple[str, ...] = ()
    start: int = 0  # character offset of ``text`` in the document's parsed text
    tokens: int = 0
    overlap: int = 0
    place: Locator | None = None
    hash: str = ""
    tables: tuple[TablePart, ...] = ()


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
    content_hash: str = ""
    shelf: Shelf = Shelf()
    quiet: bool = False
    earlier: bool = False
    visible: int = -1
    again: bool = False  # a vector of an earlier version was missing: embed all chunks
    notes: tuple[Note, ...] = ()
    retries: int = 0  # how often the version was queued again at a later time


class Vectors(Struct, frozen=True, kw_only=True):
    """Vectors of one chunk, base64 of little-endian arrays: ``dense`` float32, ``indices`` uint32, ``values`` float32."""

    dense: str
    indices: str
    values: str


class EmbeddedBatch(Struct, frozen=True, kw_only=True):
    """A chunk batch with its vectors, one per chunk in the same order. ``model`` names the embedding and its parameters.

    An empty vector stands for that of an earlier version's point with the same ``Chunk.hash``.
    """

    batch: ChunkBatch
    model: str
    vectors: tuple[Vectors, ...]


class Removal(Struct, frozen=True, kw_only=True):
    """Points of this document up to and including ``version`` must leave the index, and ``blobs`` the file store."""

    knowledge_base_id: str
    document_id: str
    version: int
    blobs: tuple[str, ...] = ()


class SubmissionRequest(Struct, frozen=True, kw_only=True):
    """A request with an ``Idempotency-Key`` that submitted a document: the id of its event, and the version it became."""

    id: str
    version: int


class DocumentRequests(Struct, frozen=True, kw_only=True):
    """The last requests of a document, the newest last."""

    knowledge_base_id: str
    document_id: str
    requests: tuple[SubmissionRequest, ...]


class KeptVersion(Struct, frozen=True, kw_only=True):
    """A replaced version whose file is kept. ``path``: the file, or the description of a fetched page (then ``sha256`` is empty and
    ``bytes`` 0: the description has both). ``media_type`` as declared; ``encrypted``: the file has a password.
    """

    version: int
    path: str
    sha256: str = ""
    bytes: int = 0
    title: str = ""
    filename: str = ""
    media_type: FileType = ""
    submitted_at: datetime
    encrypted: bool = False


class KeptVersions(Struct, frozen=True, kw_only=True):
    """The replaced versions of a document whose files are kept, the newest first, since ``version`` was submitted or withdrawn.

    ``bytes`` are those of the files that the present version does not use itself.
    """

    knowledge_base_id: str
    document_id: str
    version: int
    kept: tuple[KeptVersion, ...] = ()
    bytes: int = 0


class Progress(Struct, frozen=True, kw_only=True):
    """The progress of a version. Readers keep the highest (version, rank of state); work in its second retry comes after that in its first.

    ``retry_at``: something outside was away for long, as ``cause`` says; the version is queued again then.
    """

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
    done: int = 0  # chunks stored so far
    notes: tuple[Note, ...] = ()
    visible: int = -1  # the version visible before this one: compaction keeps one record per document, which must have it
    slow: bool = False  # it waits, or waited, in the slow queue
    retries: int = 0  # how often the version was queued again at a later time
    retry_at: datetime | None = None

    @property
    def queue(self) -> DocumentQueue:
        """The queue in which it waits to be parsed."""
        return "slow" if self.slow else self.lane

    @property
    def percent(self) -> int:
        """The progress in percent, 0 to 100."""
        if self.state == "embedding" and self.chunks:
            return 20 + 79 * self.done // self.chunks
        return PERCENT[self.state]


class DocumentSubmitted(Event, tag="claw.document.submitted.v1", frozen=True, kw_only=True):
    """A new document or a new version of one."""

    data: Document


class DocumentWithdrawn(Event, tag="claw.document.withdrawn.v1", frozen=True, kw_only=True):
    """A document was deleted by its owner."""

    data: Withdrawal


class DocumentAliased(Event, tag="claw.document.aliased.v1", frozen=True, kw_only=True):
    """Records of a document are written under another key than its id, or no longer."""

    data: DocumentAlias


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
    """Old points can be removed: the visibility record already hides them."""

    data: Removal


class DocumentRequested(Event, tag="claw.document.requested.v1", frozen=True, kw_only=True):
    """A request with an ``Idempotency-Key`` submitted a document."""

    data: DocumentRequests


class DocumentVersionsKept(Event, tag="claw.document.versions_kept.v1", frozen=True, kw_only=True):
    """The files of other replaced versions of a document are kept now; of none once it was deleted."""

    data: KeptVersions


class DocumentProgressed(Event, tag="claw.document.progressed.v1", frozen=True, kw_only=True):
    """A document's state changed."""

    data: Progress


Submitted = DocumentSubmitted | DocumentWithdrawn
Queued = DocumentQueued
Chunked = DocumentChunked
Embedded = DocumentEmbedded | DocumentRemovalRequested
Progressed = DocumentProgressed
Requested = DocumentRequested

PERCENT: dict[State, int] = {"queued": 0, "parsing": 5, "embedding": 20, "indexed": 100, "unchanged": 100, "failed": 100, "deleted": 100}
RANK: dict[str, int] = {"queued": 1, "parsing": 2, "embedding": 3, "failed": 8, "unchanged": 9, "indexed": 9, "deleted": 9}
