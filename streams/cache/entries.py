"""An entry as it lies in Redis: a head (layout, identity, shape of the value, packed or not), then marks, time and value as MessagePack.

The layout byte changes when this module does; the shape is a digest of the value's type, which changes when the value's does. A process
with another layout or shape reads a miss, in either direction, so processes of two releases can share a server.
"""

import hashlib
import secrets
import zlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from msgspec import Struct

T = TypeVar("T")

LAYOUT = b"\x01"
ID_BYTES, SHAPE_BYTES = 8, 6
ID_END = len(LAYOUT) + ID_BYTES
SHAPE_END = ID_END + SHAPE_BYTES
PLAIN, PACKED = b"p", b"z"
HEAD_BYTES = SHAPE_END + 1
VALUE_BYTES_MAX = 16 * 1_048_576  # unpacked: what a few packed bytes may claim
COMPRESSION = 1  # a hit is read far more often than written, but text shrinks to a third at the fastest level already

log = structlog.get_logger(__name__)


Marks = list[bytes | None]  # of the scenario, then of each tag; None where nothing was ever invalidated


class EntryBody(Struct, Generic[T], frozen=True, array_like=True):
    """``marks`` as they were when the value began to be computed; ``refresh_at_s`` is Unix time; no value: there is nothing."""

    marks: Marks
    refresh_at_s: float
    value: T | None


class CacheEntry(Struct, Generic[T], frozen=True):
    """An entry. ``value`` None: a cached "there is none". ``current``: none of its tags was invalidated since."""

    value: T | None
    current: bool
    id: bytes
    refresh_at_s: float


class TooLarge(Exception):
    """The entry would be larger than entries may be."""


_pack = msgspec.msgpack.Encoder().encode


class Codec(Generic[T]):
    """Values of one type. ``kind`` must be something msgspec can describe."""

    def __init__(self, kind: Any, *, compress_bytes_min: int, entry_bytes_max: int) -> None:
        self._shape = hashlib.sha256(_encode(msgspec.json.schema(kind))).digest()[:SHAPE_BYTES]
        self._decode: Callable[[bytes | memoryview], EntryBody[T]] = msgspec.msgpack.Decoder(EntryBody[kind]).decode
        self._compress_bytes_min, self._entry_bytes_max = compress_bytes_min, entry_bytes_max

    def encode(self, value: T | None, marks: Marks, refresh_at_s: float) -> bytes:
        """The entry; raises TooLarge."""
        raw = _pack(EntryBody(marks, refresh_at_s, value))
        packed = len(raw) >= self._compress_bytes_min
        head = LAYOUT + secrets.token_bytes(ID_BYTES) + self._shape + (PACKED if packed else PLAIN)
        entry = head + (zlib.compress(raw, COMPRESSION) if packed else raw)
        if len(entry) > self._entry_bytes_max or len(raw) > VALUE_BYTES_MAX:
            raise TooLarge
        return entry

    def decode(self, entry: bytes, marks: Marks) -> CacheEntry[T] | None:
        """The entry under the present marks; None for one of a scenario that was invalidated, and for bytes that cannot be decoded.

        Another layout or shape is what another release writes, or poison; anything else that cannot be read is damaged. Both are logged.
        """
        if entry[:1] != LAYOUT or entry[ID_END:SHAPE_END] != self._shape:
            log.info("cache_entry_of_another_kind", head=entry[:HEAD_BYTES].hex())
            return None
        try:
            tail = memoryview(entry)[HEAD_BYTES:]
            body = self._decode(_inflate(tail) if entry[SHAPE_END:HEAD_BYTES] == PACKED else tail)
        except (msgspec.DecodeError, UnicodeDecodeError, zlib.error, RecursionError) as error:
            log.warning("cache_entry_undecodable", error=f"{type(error).__name__}: {error}")
            return None
        if body.marks[:1] != marks[:1]:
            return None
        return CacheEntry(body.value, body.marks == marks, entry[len(LAYOUT) : ID_END], body.refresh_at_s)


def entry_id(entry: bytes) -> bytes:
    """The identity of an entry."""
    return entry[len(LAYOUT) : ID_END]


def _inflate(packed: memoryview) -> bytes:
    inflater = zlib.decompressobj()
    value = inflater.decompress(packed, VALUE_BYTES_MAX)
    if inflater.unconsumed_tail or not inflater.eof:
        raise zlib.error("the value does not end where it should")
    return value


_encode = msgspec.json.Encoder(order="deterministic").encode
