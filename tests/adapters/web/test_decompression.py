"""Compressed answers, unpacked as they come."""

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from adapters.web.decompression import inflate


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 3_000_000])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw", "two", "", "padded"])
async def test_unpacked_as_it_was(encoding: str, size: int):
    """Every wrapper there is, in pieces of every size."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    packed = {
        "gzip": gzip.compress(data),
        "deflate": zlib.compress(data),
        "raw": zlib.compress(data)[2:-4],
        "two": gzip.compress(data[: size // 2]) + gzip.compress(data[size // 2 :]),
        "padded": gzip.compress(data) + bytes(600),
        "": data,
    }[encoding]
    step = max(7, len(packed) // 50)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(packed), step):
            yield packed[start : start + step]

    name = {"raw": "deflate", "two": "gzip", "padded": "gzip"}.get(encoding, encoding)
    made = [piece async for piece in inflate(pieces(), name)]
    assert b"".join(made) == data
    assert max(map(len, made), default=0) <= max(262_144, step)
