"""The record batches of a fetch, before the client library sees them: what no reader can take is cut out and named.

aiokafka raises for such a batch, at every fetch and for ever, and its decompression has no bound. Here every batch is checked once:
layout, checksum, codec, size, each record. A batch that fails is replaced by an empty one over the same offsets, so that the reader's
position passes it; a compressed batch is handed on decompressed. The layout is that of Kafka's message format 2, the only one that a
broker writes since 3.0.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cramjam
from aiokafka.errors import KafkaError
from aiokafka.record.control_record import ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

Reason = Literal["layout", "magic", "checksum", "codec", "compression", "size", "records"]
"""``layout``: a length that cannot be, or a batch larger than the fetch; ``size``: over the bound after decompression."""

HEADER = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC-32C of what follows; attributes, last offset delta, first and last timestamp, producer id
and epoch, base sequence, number of records.
"""
OVERHEAD = 12  # base offset and length, which the length does not count
CHECKED_FROM = struct.calcsize(">qiibI")
CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
CODEC_BITS, CONTROL_BIT = 0x07, 0x20
MAGIC, MAGIC_AT = 2, 16
LENGTH_MIN = 14  # of anything that was ever a message
DELTA_MAX = 2**31 - 1
OUTPUT_BYTES_MIN = 65_536  # the first guess at a batch's size, which grows eightfold
XERIAL, XERIAL_BYTES = b"\x82SNAPPY\x00", 16  # Java frames snappy: a header, then blocks behind their lengths

_PARSE_ERRORS = (KafkaError, ValueError, IndexError, OverflowError, AssertionError, SystemError, struct.error)  # of aiokafka's C code, too


@dataclass(frozen=True, slots=True)
class UnreadableBatch:
    """The offsets from ``first`` to ``last`` of a partition cannot be read; ``raw`` is what lies there, as it came."""

    first: int
    last: int
    reason: Reason
    detail: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ScreenedRecords:
    """Batches that aiokafka can read, and those that nobody can. ``expanded_bytes``: what was decompressed. ``doubted``: the base offset of
    a batch behind the end, which with all that follows is left to the next fetch; -1 without one.
    """

    data: bytes
    unreadable: Sequence[UnreadableBatch]
    expanded_bytes: int
    doubted: int = -1


class _BatchError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def screen_records(data: bytes, *, position: int, end: int, bytes_max: int, expanded_bytes_max: int, doubted: int = -1) -> ScreenedRecords:
    """Check the batches of one partition of a fetch that asked for ``position``; ``end`` is the offset behind the last that may be read.

    A broker notes ``end`` before it reads, so what was appended between is in the fetch and behind it. Such a batch is left to the next
    fetch, whose end was noted later; only there, as the one ``doubted`` before, is its offset wrong. ``bytes_max`` bounds one batch after
    decompression. Once ``expanded_bytes_max`` were decompressed, the rest is left to the next fetch.
    """
    kept: list[bytes] = []
    unreadable: list[UnreadableBatch] = []
    expanded_bytes, least = 0, 0
    for raw, next_base in _split(data):
        if expanded_bytes >= expanded_bytes_max:
            break
        try:
            batch = _check_batch(raw, bytes_max)
            first, last = _offsets(batch)
            if last >= end and first != doubted:
                return ScreenedRecords(b"".join(kept), unreadable, expanded_bytes, doubted=first)
            _check_offsets(first, last, least=least, position=position, end=end)
        except _BatchError as error:
            expanded_bytes += bytes_max if error.reason == "size" else 0
            first, last = _find_span(raw, position, end, next_base)
            first = max(first, min(least, last))
            if last >= position:
                unreadable.append(UnreadableBatch(first, last, error.reason, error.detail, raw))
                kept.append(make_empty_batch(max(first, position), last))
            least = max(least, last + 1)
            continue
        kept.append(batch)
        least = last + 1
        if batch is not raw:
            expanded_bytes += len(batch)
    return ScreenedRecords(b"".join(kept), unreadable, expanded_bytes)


def make_empty_batch(first: int, last: int) -> bytes:
    """A batch over these offsets without a record, as compaction leaves it."""
    checked = HEADER.pack(first, HEADER.size - OVERHEAD, -1, MAGIC, 0, 0, min(last - first, DELTA_MAX), -1, -1, -1, -1, -1, 0)
    return with_checksum(checked)


def with_checksum(batch: bytes) -> bytes:
    """The batch with its checksum."""
    start = bytearray(batch)
    struct.pack_into(">I", start, CHECKED_FROM - 4, calc_crc32c(batch[CHECKED_FROM:]))
    return bytes(start)


def _split(data: bytes) -> Iterator[tuple[bytes, int | None]]:
    """Each batch, with the base offset of the one behind it. A last batch that is cut off belongs to the next fetch: the broker cuts where
    the fetch ends, but for the first batch, which it sends whole. Behind a length that cannot be nothing more is found.
    """
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at + 8) if len(data) - at >= OVERHEAD else (DELTA_MAX,)
        stop = at + OVERHEAD + length
        if length < LENGTH_MIN or (stop > len(data) and at == 0):
            yield data[at:], None
            return
        if stop > len(data):
            return
        yield data[at:stop], struct.unpack_from(">q", data, stop)[0] if len(data) - stop >= OVERHEAD else None
        at = stop


def _find_span(raw: bytes, position: int, end: int, next_base: int | None) -> tuple[int, int]:
    """First and last offset of an unreadable batch: by its header where that can be true, else up to the next batch, else one offset."""
    base = struct.unpack_from(">q", raw)[0] if len(raw) >= OVERHEAD else position
    first = base if 0 <= base < end else position
    stop = next_base if next_base is not None and first < next_base <= end else None
    if len(raw) >= HEADER.size and raw[MAGIC_AT] == MAGIC:
        delta = HEADER.unpack_from(raw)[6]
        if delta >= 0 and first + delta < (end if stop is None else stop):
            return first, first + delta
    return first, max(first, position) if stop is None else stop - 1


def _offsets(batch: bytes) -> tuple[int, int]:
    """First and last. The checksum does not cover the base offset."""
    fields = HEADER.unpack_from(batch)
    return int(fields[0]), int(fields[0]) + int(fields[6])


def _check_offsets(first: int, last: int, *, least: int, position: int, end: int) -> None:
    """They must fit to the batch before, which ends before ``least``, to what was asked for, and to what there is."""
    if not least <= first <= last < end or last < position:
        raise _BatchError("layout", f"offsets {first} to {last} cannot be between {max(least, position)} and {end - 1}")


def _check_batch(raw: bytes, bytes_max: int) -> bytes:
    """The batch as aiokafka can read it: itself, or decompressed."""
    length = struct.unpack_from(">i", raw, 8)[0] if len(raw) > MAGIC_AT else -1
    if length != len(raw) - OVERHEAD:
        raise _BatchError("layout", f"the batch says it has {length} bytes; {len(raw)} came")
    magic = raw[MAGIC_AT]
    if magic != MAGIC:
        raise _BatchError("magic", f"message format {magic} is none that a broker writes since Kafka 3.0")
    if len(raw) < HEADER.size:
        raise _BatchError("layout", f"a batch has at least {HEADER.size} bytes; this one has {len(raw)}")
    base, _, _, _, checksum, attributes, delta, *_, count = HEADER.unpack_from(raw)
    if calc_crc32c(raw[CHECKED_FROM:]) != checksum:
        raise _BatchError("checksum", "the checksum of the batch does not match its content")
    if count == 0 and delta >= 0:
        return make_empty_batch(base, base + delta)
    batch = _expand(raw, attributes, bytes_max)
    _check_records(batch, base, base + delta, is_control=bool(attributes & CONTROL_BIT))
    return batch


def _check_records(batch: bytes, first: int, last: int, *, is_control: bool) -> None:
    before = first - 1
    try:
        for record in DefaultRecordBatch(memoryview(batch)):
            if not before < record.offset <= last:
                raise _BatchError("records", f"a record has offset {record.offset} behind {before}, in a batch of {first} to {last}")
            before = record.offset
            if is_control:
                ControlRecord.parse(record.key or b"")
    except _PARSE_ERRORS as error:
        raise _BatchError("records", f"the record behind offset {before} is malformed: {error}") from error


def _expand(raw: bytes, attributes: int, bytes_max: int) -> bytes:
    """The batch without compression, its checksum left as it was: it has been checked."""
    codec = attributes & CODEC_BITS
    if codec == 0:
        if len(raw) > bytes_max:
            raise _BatchError("size", f"the batch has {len(raw)} bytes; the limit is {bytes_max} (CLAW_KAFKA_BATCH_BYTES_MAX)")
        return raw
    if codec not in CODECS:
        raise _BatchError("codec", f"codec {codec} is unknown; known are {', '.join(CODECS.values())}")
    name, payload = CODECS[codec], memoryview(raw)[HEADER.size :]
    try:
        records = _decompress(name, payload, bytes_max)
    except (cramjam.DecompressionError, zlib.error, struct.error) as error:
        raise _BatchError("compression", f"{name} cannot be decompressed: {error}") from error
    if records is None:
        detail = f"{len(payload)} bytes of {name} decompress to more than {bytes_max} (CLAW_KAFKA_BATCH_BYTES_MAX)"
        raise _BatchError("size", detail)
    fields: list[Any] = list(HEADER.unpack_from(raw))
    fields[1], fields[5] = HEADER.size - OVERHEAD + len(records), attributes & ~CODEC_BITS
    return HEADER.pack(*fields) + records


def _decompress(codec: str, payload: memoryview, bytes_max: int) -> bytes | None:
    """None: more than ``bytes_max``. Raises the errors of cramjam, zlib and struct."""
    if codec == "gzip":
        return _gunzip(bytes(payload), bytes_max)
    if codec == "snappy":
        return _unsnap(payload, bytes_max)
    return _decompress_growing(cramjam.lz4 if codec == "lz4" else cramjam.zstd, payload, bytes_max)


def _decompress_growing(module: Any, payload: memoryview, bytes_max: int) -> bytes | None:
    """With a larger output after each failure: neither format has to say beforehand how much comes out."""
    size = min(bytes_max, max(OUTPUT_BYTES_MIN, 8 * len(payload)))
    while True:
        output = bytearray(size)
        try:
            return bytes(memoryview(output)[: module.decompress_into(payload, output)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
        if size == bytes_max:
            return None
        size = min(bytes_max, 8 * size)


def _unsnap(payload: memoryview, bytes_max: int) -> bytes | None:
    blocks = [payload]
    if payload[: len(XERIAL)] == XERIAL:
        blocks, at = [], XERIAL_BYTES
        while at < len(payload):
            (length,) = struct.unpack_from(">i", payload, at)
            if length < 0:
                raise cramjam.DecompressionError(f"a block of {length} bytes")
            blocks.append(payload[at + 4 : at + 4 + length])
            at += 4 + length
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > bytes_max:
        return None
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _gunzip(payload: bytes, bytes_max: int) -> bytes | None:
    output, rest = bytearray(), payload
    while rest or not output:
        member = zlib.decompressobj(wbits=31)
        output += member.decompress(rest, bytes_max + 1 - len(output))
        if len(output) > bytes_max:
            return None
        if not member.eof:
            raise zlib.error("it ends too early")
        rest = member.unused_data
    return bytes(output)
