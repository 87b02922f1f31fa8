"""What a worker and its children say to each other: length-prefixed msgpack over the child's standard input and output."""

import struct

import msgspec
from msgspec import Struct

from adapters.parsing.core.source import Bounds, DocumentSource
from schemas.documents import Chunk, Note, Vectors

FRAME_BYTES_MAX = 8 * 1024 * 1024  # of one frame: the largest text an event carries is 1 MB
REPLY_BYTES_MAX = 96 * 1024 * 1024  # of all frames that answer one task: the chunks of the longest text that is accepted
CHUNKS_PER_FRAME = 64  # decoded in a millisecond: the event loop that reads them serves others in between
HEADER = struct.Struct("<I")


class ChildOptions(Struct, frozen=True, kw_only=True):
    """What a child is told when it starts. ``folder`` is the only place it may write to; limits as in the settings of documents."""

    parent: int
    folder: str
    niceness: int
    batch: bool  # SCHED_BATCH: never before a process that answers somebody
    memory_mib: int
    cpu_s: int
    ocr_cpu_s: int  # from the moment on that it starts Tesseract
    dense: bool  # loads the local embedding before it says that it is ready


class ParseTask(Struct, tag=True, frozen=True, kw_only=True):
    """Parse and chunk one document; encode its chunks in the same go unless ``known`` is None or there are more than ``encoded_max``."""

    source: DocumentSource
    bounds: Bounds
    title: str
    target_tokens: int
    max_tokens: int
    chunks_max: int
    known: frozenset[str] | None = None
    encoded_max: int = 0


class ParseBatch(Struct, tag=True, frozen=True):
    """Several short texts at once: what a hand-over and a call of the model cost is shared by all of them."""

    tasks: list[ParseTask]


class EncodeTask(Struct, tag=True, frozen=True):
    """Sparse vectors of texts, and dense ones of the local embedding when asked for."""

    texts: list[str]
    dense: bool


class Ready(Struct, tag=True, frozen=True):
    """Said once, when the child has loaded what it needs."""


class OcrStarted(Struct, tag=True, frozen=True):
    """Tesseract was started for the task: it gets more time."""


class ChunkFrame(Struct, tag=True, frozen=True):
    """Some chunks of a ParseTask's answer, in order, ahead of ``Chunked``."""

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


class TaskRefusal(Struct, tag=True, frozen=True):
    """The task was Refused."""

    code: str
    detail: str


class DocumentChunks(Struct, tag=True, frozen=True):
    """One text of a ParseTexts: all of its chunks, and what ``Chunked`` says of them."""

    chunks: list[Chunk]
    chunked: ParseSummary


class ParseBatchResult(Struct, tag=True, frozen=True):
    """Answer to ParseTexts, one per text."""

    answers: list[DocumentChunks | TaskRefusal]


class CrashReport(Struct, tag=True, frozen=True):
    """The child's last words: an error that nobody expected."""

    detail: str


Task = ParseTask | ParseBatch | EncodeTask
TaskAnswer = ParseSummary | ParseBatchResult | EncodeResult | TaskRefusal
ChildMessage = Ready | OcrStarted | ChunkFrame | TaskAnswer | CrashReport

task_decoder = msgspec.msgpack.Decoder(Task)
message_decoder = msgspec.msgpack.Decoder(ChildMessage)


def encode_frame(message: Task | ChildMessage) -> bytes:
    """``message`` with its length in front."""
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body
