"""Protocol between a worker and its children: length-prefixed msgpack over two pipes; with a fork server, messages over a socket."""

import struct
from typing import Literal

import msgspec
from msgspec import Struct

from adapters.pages.highlights import QuoteOnPages
from adapters.parsing.core.source import Bounds, DocumentSource
from schemas.documents import Chunk, Note, Vectors

FRAME_BYTES_MAX = 8 * 1024 * 1024  # of one frame: the largest text an event carries is 1 MB
REPLY_BYTES_MAX = 96 * 1024 * 1024  # of all frames that answer one task: the chunks of the longest text that is accepted
MESSAGE_BYTES_MAX = 4_096  # of one between a fork server and its parent
CHUNKS_PER_FRAME = 64  # decoded in a millisecond, so that the reading event loop serves others in between
HEADER = struct.Struct("<I")


class ChildOptions(Struct, frozen=True, kw_only=True):
    """Options of a child's start. ``folder`` is the only place it may write to; limits as in the settings of documents.

    ``embedding``: the local embedding that is loaded before the child reports ready; "" is none. ``tables``: where their tables are.
    """

    parent: int
    folder: str
    niceness: int
    batch: bool  # SCHED_BATCH: yields to processes that answer requests
    idle: bool = False  # SCHED_IDLE: runs when nothing else wants the core
    memory_mib: int
    cpu_s: int
    ocr_cpu_s: int  # from the start of recognition
    ocr_memory_mib: int  # likewise
    embedding: str
    tables: str
    programs: bool = False  # it may start the programs that convert and recognise documents
    confinement: Literal["auto", "require", "off"] = "auto"


class ParseTask(Struct, tag=True, frozen=True, kw_only=True):
    """Parse and chunk one document; encode its chunks in the same task unless ``known`` is None or there are more than ``encoded_max``.

    ``embedding`` is the local one of their dense vectors.
    """

    source: DocumentSource
    bounds: Bounds
    title: str
    target_tokens: int
    max_tokens: int
    chunks_max: int
    known: frozenset[str] | None = None
    encoded_max: int = 0
    embedding: str = ""


class ParseBatch(Struct, tag=True, frozen=True):
    """Several short texts at once: they share the cost of one message and one call of the model."""

    tasks: list[ParseTask]


class EncodeTask(Struct, tag=True, frozen=True):
    """Sparse vectors of texts, and dense ones of a local ``embedding`` unless it is ""."""

    texts: list[str]
    embedding: str


class PassageTask(Struct, tag=True, frozen=True):
    """The encoder's vectors of passages."""

    texts: list[str]


class QuoteTask(Struct, tag=True, frozen=True, kw_only=True):
    """Look for a quote on the pages of a file: ``first`` to ``last``, or on any with ``first`` 0. ``context``: the text around it."""

    source: DocumentSource
    bounds: Bounds
    quote: str
    context: str = ""
    first: int = 0
    last: int = 0


class ImageTask(Struct, tag=True, frozen=True, kw_only=True):
    """Make an image of a page of a file, at most so many pixels wide."""

    source: DocumentSource
    bounds: Bounds
    page: int
    width: int


class Ready(Struct, tag=True, frozen=True):
    """From the fork server, once: it is loaded. ``measures`` of confinement are in force."""

    measures: tuple[str, ...] = ()


class Forked(Struct, tag=True, frozen=True):
    """From the fork server: the child that was asked for runs."""

    pid: int


class Exited(Struct, tag=True, frozen=True):
    """From the fork server: the child ended by itself, with this code; below 0 by a signal."""

    code: int


class Loaded(Struct, tag=True, frozen=True):
    """From the fork server, once: it has loaded what few tasks need, too, for the children to come."""


class OcrStarted(Struct, tag=True, frozen=True):
    """Scanned pages are being read for the task, which gets more time and memory."""


class ChunkFrame(Struct, tag=True, frozen=True):
    """Some chunks of a ParseTask's answer, in order, ahead of its ``ParseSummary``."""

    chunks: list[Chunk]


class ParseSummary(Struct, tag=True, frozen=True, kw_only=True):
    """The end of the answer to a ParseTask. ``title`` is what the chunks were hashed with; ``vectors`` empty when none were asked for."""

    title: str
    media_type: str
    chars: int
    notes: tuple[Note, ...]
    vectors: list[Vectors]


class EncodeResult(Struct, tag=True, frozen=True):
    """Answer to an EncodeTask, one per text; ``dense`` is empty when it was not asked for."""

    vectors: list[Vectors]


class PassageResult(Struct, tag=True, frozen=True):
    """Answer to a PassageTask, one per text: rows of little-endian float16."""

    vectors: list[bytes]


class ImageResult(Struct, tag=True, frozen=True):
    """Answer to an ImageTask."""

    data: bytes


class TaskRefusal(Struct, tag=True, frozen=True):
    """The task raised Refused."""

    code: str
    detail: str


class DocumentChunks(Struct, tag=True, frozen=True):
    """One text of a ParseBatch: its chunks and their summary."""

    chunks: list[Chunk]
    chunked: ParseSummary


class ParseBatchResult(Struct, tag=True, frozen=True):
    """Answer to a ParseBatch, one per text."""

    answers: list[DocumentChunks | TaskRefusal]


class CrashReport(Struct, tag=True, frozen=True):
    """An unexpected error that ends the child."""

    detail: str


FileTask = ParseTask | QuoteTask | ImageTask
Task = FileTask | ParseBatch | EncodeTask | PassageTask
TaskAnswer = ParseSummary | ParseBatchResult | EncodeResult | PassageResult | QuoteOnPages | ImageResult | TaskRefusal
ServerMessage = Ready | Forked | Exited | Loaded
ChildMessage = OcrStarted | ChunkFrame | TaskAnswer | CrashReport

task_decoder = msgspec.msgpack.Decoder(Task)
server_decoder = msgspec.msgpack.Decoder(ServerMessage)
message_decoder = msgspec.msgpack.Decoder(ChildMessage)


def encode_frame(message: Task | ChildMessage) -> bytes:
    """``message`` with its length as a prefix."""
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body
