"""Compressed bodies, decompressed in small steps: a few kilobytes that unpack to gigabytes never fill the memory."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator

from schemas.errors import Refused

STEP_BYTES = 262_144
GZIP, DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS


async def inflate(pieces: AsyncIterable[bytes], encoding: str) -> AsyncGenerator[bytes, None]:
    """``pieces``, decompressed by their ``Content-Encoding``. Raises Refused("url_unreachable") for another encoding, or broken data."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        async for piece in pieces:
            yield piece
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Refused("url_unreachable", f"it answers in the encoding {encoding[:40]}, which was not requested")
    unpacking = _Inflater(raw_allowed=encoding == "deflate")
    async for piece in pieces:
        for made in unpacking.feed(piece):
            yield made
            await asyncio.sleep(0)  # decompression is work: other tasks of the loop run in between
    if not unpacking.is_complete:
        raise Refused("url_unreachable", "its compressed answer breaks off")


class _Inflater:
    """gzip (members one after the other, too) and deflate, with the zlib wrapper or, as some servers send it, without."""

    def __init__(self, *, raw_allowed: bool) -> None:
        self._window = DEFLATE if raw_allowed else GZIP
        self._raw_allowed = raw_allowed
        self._work = zlib.decompressobj(self._window)

    @property
    def is_complete(self) -> bool:
        """Whether the end of the compressed data was read."""
        return self._work.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decompressed bytes, in steps."""
        while True:
            if self._work.eof:
                if self._window != GZIP or not data.strip(b"\0"):
                    return  # padding, or what follows the end
                self._work = zlib.decompressobj(self._window)
            made = self._step(data)
            self._raw_allowed = False
            data = self._work.unconsumed_tail or self._work.unused_data
            if made:
                yield made
            if not data and len(made) < STEP_BYTES:  # a full step may have more behind it
                return

    def _step(self, data: bytes) -> bytes:
        try:
            return self._work.decompress(data, STEP_BYTES)
        except zlib.error:
            if not self._raw_allowed:
                raise Refused("url_unreachable", "its compressed answer is broken") from None
        self._raw_allowed, self._window = False, -zlib.MAX_WBITS
        self._work = zlib.decompressobj(self._window)
        return self._step(data)
