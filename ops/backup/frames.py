"""The content of the files of a backup: byte strings, each behind its length, and the records of a partition as such strings."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import msgspec
from msgspec import Struct

from ops.backup.errors import BackupDamaged

FRAME_BYTES_MAX = 64 * 1_048_576  # far above the largest record a topic takes
LENGTH = struct.Struct(">I")
GZIP_LEVEL = 3  # records are JSON: a third of its size, at about 100 MB/s

Headers = tuple[tuple[str, bytes | None], ...]


class LogEntry(Struct, frozen=True, array_like=True):
    """A record of the log; ``timestamp_ms`` is in ms since 1970."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class ByteSink(Protocol):
    """What frames are written to."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> object: ...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LogEntry).decode


def pack(file: ByteSink) -> gzip.GzipFile:
    """A file that is written packed; equal content gives equal bytes."""
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=GZIP_LEVEL, mtime=0)


def write_frame(file: ByteSink, data: bytes) -> None:
    """Append one frame."""
    file.write(LENGTH.pack(len(data)))
    file.write(data)


def write_entry(file: ByteSink, entry: LogEntry) -> None:
    """Append one record."""
    write_frame(file, _encode(entry))


def read_frames(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The frames up to the end of the file. Raises BackupDamaged, which names the file, when it ends within one or cannot be unpacked."""
    try:
        while head := file.read(LENGTH.size):
            if len(head) < LENGTH.size:
                raise BackupDamaged(f"{name}: the file ends in the middle of a record")
            (length,) = LENGTH.unpack(head)
            if length > FRAME_BYTES_MAX:
                raise BackupDamaged(f"{name}: a record of {length:,} bytes is larger than the {FRAME_BYTES_MAX:,} that a backup writes")
            data = file.read(length)
            if len(data) < length:
                raise BackupDamaged(f"{name}: the file ends in the middle of a record")
            yield data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupDamaged(f"{name}: the file cannot be unpacked: {error}") from error


def read_entries(file: BinaryIO, name: str) -> Iterator[LogEntry]:
    """The records of a packed file of a partition. Raises BackupDamaged, also unless their offsets rise."""
    before = -1
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        for data in read_frames(unpacked, name):  # type: ignore[arg-type]  # GzipFile reads as a BinaryIO does
            try:
                entry = _decode(data)
            except msgspec.DecodeError as error:
                raise BackupDamaged(f"{name}: what follows offset {before} is no record: {error}") from error
            if entry.offset <= before:
                raise BackupDamaged(f"{name}: offset {entry.offset} follows offset {before}")
            before = entry.offset
            yield entry
