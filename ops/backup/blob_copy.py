"""The files of documents: those that the submissions and the kept versions of a backup name, in volumes of frames.

A frame with path, size and hash comes before the frames with a file's bytes. A file that is gone, because its document was replaced or
deleted meanwhile, is left out; one that the newest submission of a document names is reported.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from adapters.blobs import BlobStore
from adapters.blobs.paths import PAGE_SUFFIX, check_path
from domain.documents.sources import PAGE_BYTES_MAX, StoredPage, blob_path
from domain.documents.topics import DOCUMENTS_SUBMITTED, DOCUMENTS_VERSIONS
from ops.backup.archive import Archive, ArchiveWriter, HashedFile
from ops.backup.errors import BackupDamaged
from ops.backup.frames import LogEntry, read_frames, write_frame
from ops.backup.manifest import MISSING_NAMED_MAX, ArchivedFile
from schemas.documents import Blob, DocumentSubmitted
from schemas.errors import Refused
from streams.topics import decoder

VOLUME_BYTES = 1_073_741_824  # a volume ends with the file that takes it beyond this
PIECE_BYTES = 1_048_576

_decode_submission = decoder(DOCUMENTS_SUBMITTED).decode
_decode_kept = decoder(DOCUMENTS_VERSIONS).decode


class ArchivedBlob(Struct, frozen=True):
    """The head of a file: where it lies in the blob store, and what follows."""

    path: str
    bytes: int
    sha256: str


_encode_head = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(ArchivedBlob).decode


class BlobCopy:
    """What was copied, and what was missing."""

    def __init__(self) -> None:
        self.volumes: list[ArchivedFile] = []
        self.bytes = 0
        self.missing: list[str] = []
        self.missing_total = 0


class NamedBlobs:
    """The paths that submissions and kept versions name, each once, in a file that ``close`` removes: documents may be millions."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="claw-backup-")
        self._paths = sqlite3.connect(Path(self._folder.name) / "paths", isolation_level=None)
        self._paths.execute("PRAGMA journal_mode = OFF")
        self._paths.execute("CREATE TABLE paths (path TEXT PRIMARY KEY, sha256 TEXT, bytes INTEGER) WITHOUT ROWID")
        self._paths.execute("CREATE TABLE newest (document BLOB PRIMARY KEY, path TEXT) WITHOUT ROWID")

    def close(self) -> None:
        self._paths.close()
        self._folder.cleanup()

    def add(self, entry: LogEntry) -> None:
        """Note the file behind a record of the submissions; records that are none are left out, as everywhere."""
        path, blob = "", None
        try:
            event = _decode_submission(entry.value or b"")
        except msgspec.DecodeError:
            return
        if isinstance(event, DocumentSubmitted):
            path, blob = blob_path(event, entry.offset), event.data.blob
        if path:
            known = (path, blob.sha256 if blob else "", blob.bytes if blob else 0)
            self._paths.execute("INSERT OR IGNORE INTO paths VALUES (?, ?, ?)", known)
        self._paths.execute("INSERT OR REPLACE INTO newest VALUES (?, ?)", (entry.key, path))

    def add_kept(self, entry: LogEntry) -> None:
        """Note the files of replaced versions behind a record of the kept versions."""
        try:
            event = _decode_kept(entry.value or b"")
        except msgspec.DecodeError:
            return
        files = [(each.path, each.sha256, each.bytes) for each in event.data.kept]
        self._paths.executemany("INSERT OR IGNORE INTO paths VALUES (?, ?, ?)", files)

    def paths(self) -> Iterator[tuple[ArchivedBlob, bool]]:
        """Each path with what its file must be (of a page nothing: its description names it), and whether a newest submission names it."""
        self._paths.execute("CREATE INDEX newest_path ON newest (path)")
        rows = self._paths.execute("SELECT path, bytes, sha256, EXISTS (SELECT 1 FROM newest WHERE newest.path = paths.path) FROM paths")
        for path, size, sha256, newest in rows:
            yield ArchivedBlob(path, size, sha256), bool(newest)


async def copy_blobs(blobs: BlobStore, archive: ArchiveWriter, named: NamedBlobs) -> BlobCopy:
    """Copy the files that were noted. Raises Unavailable."""
    copy, paths = BlobCopy(), named.paths()
    left = next(paths, None)
    while left is not None:
        name = f"blobs/{len(copy.volumes):05d}"
        with archive.file(name) as file:
            while left is not None and file.bytes < VOLUME_BYTES:
                await _copy_named(blobs, *left, file, copy)
                left = next(paths, None)
        copy.volumes.append(file.describe(name))
    return copy


async def restore_blobs(blobs: BlobStore, archive: Archive) -> None:
    """Put the files of a backup back where they were. Raises Unavailable, and BackupDamaged for what is no file of a backup."""
    for volume in archive.manifest.blobs:
        with archive.open(volume) as file:
            frames = read_frames(file, volume.name)
            for head in frames:
                blob = _read_head(head, volume.name)
                async with blobs.writer_at(blob.path, blob.bytes) as written:
                    for data in _data_of(blob, frames, volume.name):
                        await written.write(data)
                    await written.commit()


def check_volume(archive: Archive, volume: ArchivedFile) -> int:
    """The bytes of the files in a volume. Raises BackupDamaged unless every file is whole and has a path inside the blob store."""
    count = size = 0
    with archive.open(volume) as file:
        frames = read_frames(file, volume.name)
        for head in frames:
            blob, digest = _read_head(head, volume.name), hashlib.sha256()
            for data in _data_of(blob, frames, volume.name):
                digest.update(data)
            if digest.hexdigest() != blob.sha256:
                raise BackupDamaged(f"{volume.name}: the file {blob.path} is not the one that was stored")
            count, size = count + 1, size + blob.bytes
    if count != volume.count:
        raise BackupDamaged(f"{volume.name}: it has {count} of {volume.count} files")
    return size


async def _copy_named(blobs: BlobStore, blob: ArchivedBlob, newest: bool, file: HashedFile, copy: BlobCopy) -> None:  # noqa: FBT001 - a row
    if blob.path.endswith(PAGE_SUFFIX):  # a page that was not fetched yet has no description
        await _copy_page(blobs, blob.path, file, copy)
    elif not await _copy_file(blobs, blob, file, copy) and newest:
        copy.missing_total += 1
        copy.missing += [blob.path] if len(copy.missing) < MISSING_NAMED_MAX else []


async def _copy_page(blobs: BlobStore, path: str, file: HashedFile, copy: BlobCopy) -> None:
    try:
        data = await blobs.read(path, PAGE_BYTES_MAX)
        content = msgspec.json.decode(data, type=StoredPage).blob
    except (Refused, msgspec.DecodeError):
        return  # it will be fetched again
    if await _copy_file(blobs, ArchivedBlob(content.path, content.bytes, content.sha256), file, copy):
        _write_head(ArchivedBlob(path, len(data), hashlib.sha256(data).hexdigest()), file, copy)
        write_frame(file, data)


async def _copy_file(blobs: BlobStore, blob: ArchivedBlob, file: HashedFile, copy: BlobCopy) -> bool:
    """Whether the file was there, and the one that was stored."""
    try:
        async with blobs.local_path(Blob(path=blob.path, bytes=blob.bytes, sha256=blob.sha256)) as path:
            if await asyncio.to_thread(_hash, path) != blob.sha256:
                return False
            _write_head(blob, file, copy)
            await asyncio.to_thread(_append, path, blob.bytes, file)
    except Refused:
        return False
    return True


def _write_head(blob: ArchivedBlob, file: HashedFile, copy: BlobCopy) -> None:
    write_frame(file, _encode_head(blob))
    file.count += 1
    copy.bytes += blob.bytes


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append(path: Path, size: int, into: HashedFile) -> None:
    with path.open("rb") as file:
        while size and (data := file.read(min(PIECE_BYTES, size))):
            write_frame(into, data)
            size -= len(data)


def _read_head(frame: bytes, name: str) -> ArchivedBlob:
    try:
        blob = _decode_head(frame)
        check_path(blob.path)
    except (msgspec.DecodeError, Refused) as error:
        raise BackupDamaged(f"{name}: a file has no path inside the blob store: {error}") from error
    return blob


def _data_of(blob: ArchivedBlob, frames: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The frames with the bytes of a file."""
    left = blob.bytes
    while left > 0:
        data = next(frames, None)
        if not data or len(data) > left:
            raise BackupDamaged(f"{name}: the file {blob.path} is not whole")
        left -= len(data)
        yield data
