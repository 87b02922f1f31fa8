"""Record batches made by hand, and every way in which one can be unreadable."""

import struct
from collections.abc import Sequence

import cramjam
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from adapters.kafka_batches import HEADER, MAGIC_AT, OVERHEAD, with_checksum

CODEC_NUMBERS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ATTRIBUTES_AT = 21


def batch(first: int, values: Sequence[bytes], codec: str = "none") -> bytes:
    """Records without a key."""
    builder = DefaultRecordBatchBuilder(2, CODEC_NUMBERS[codec], 0, -1, -1, -1, 1 << 24)
    for number, value in enumerate(values):
        builder.append(number, 1_700_000_000_000, None, value, [("content-type", b"text/plain")])
    return struct.pack(">q", first) + bytes(builder.build())[8:]


def with_payload(whole: bytes, payload: bytes, codec: int, records: int | None = None) -> bytes:
    """The header of a batch before other content, its lengths and checksum right."""
    fields = list(HEADER.unpack_from(whole))
    fields[1], fields[5] = HEADER.size - OVERHEAD + len(payload), codec
    fields[-1] = fields[-1] if records is None else records
    return with_checksum(HEADER.pack(*fields) + payload)


def spoil(whole: bytes, how: str) -> bytes:
    """The batch, unreadable for the reason ``how`` (a Reason of the adapter), without a change of its length where that can be."""
    payload = whole[HEADER.size :]
    match how:
        case "checksum":
            return whole[:-1] + bytes([whole[-1] ^ 0xFF])
        case "magic":
            return whole[:MAGIC_AT] + b"\x09" + whole[MAGIC_AT + 1 :]
        case "codec":
            return with_payload(whole, payload, 6)
        case "compression":
            return with_payload(whole, payload, CODEC_NUMBERS["zstd"])
        case "records":
            return with_payload(whole, b"\x7f" + payload[1:], 0)
        case "layout":
            return whole[:8] + struct.pack(">i", 3) + whole[12:]
    raise AssertionError(how)


def bomb(first: int, bytes_expanded: int) -> bytes:
    """A small batch that decompresses to so much."""
    packed = bytes(cramjam.zstd.compress(bytes(bytes_expanded)))
    return with_payload(batch(first, [b"x"]), packed, CODEC_NUMBERS["zstd"])
