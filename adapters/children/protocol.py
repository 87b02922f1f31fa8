"""What a worker and its children say to each other: length-prefixed msgpack over the child's standard input and output."""

import struct

import msgspec
from msgspec import Struct

from schemas.documents import Chunk, MediaType, Vectors

FRAME_BYTES_MAX = 64 * 1024 * 1024  # the largest document makes a frame of a few MB
HEADER = struct.Struct("<I")


class ParseTask(Struct, tag=True, frozen=True):
    """Parse and chunk one document."""

    media_type: MediaType
    text: str
    target_tokens: int
    max_tokens: int
    chunks_max: int


class EncodeTask(Struct, tag=True, frozen=True):
    """Sparse vectors of texts, and dense ones when the child was started for it."""

    texts: list[str]


class Ready(Struct, tag=True, frozen=True):
    """Said once, when the child has loaded what it needs."""


class Chunked(Struct, tag=True, frozen=True):
    """Answer to a ParseTask. ``rss_kib`` of this and the next two: the child's peak resident memory."""

    title: str
    chunks: list[Chunk]
    rss_kib: int = 0


class Encoded(Struct, tag=True, frozen=True):
    """Answer to an EncodeTask, one per text; ``dense`` is empty when the child only does sparse vectors."""

    vectors: list[Vectors]
    rss_kib: int = 0


class Declined(Struct, tag=True, frozen=True):
    """The task was Refused."""

    code: str
    detail: str
    rss_kib: int = 0


Task = ParseTask | EncodeTask
Reply = Ready | Chunked | Encoded | Declined

task_decoder = msgspec.msgpack.Decoder(Task)
reply_decoder = msgspec.msgpack.Decoder(Reply)


def frame(message: Task | Reply) -> bytes:
    """``message`` with its length in front."""
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body
