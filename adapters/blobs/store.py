"""The blob store: files are hashed while they are written, and checked against that hash when they are read.

Every call to the disk or the network runs in a few threads of the store's own. A file that is not committed leaves nothing behind.
"""

import asyncio
import hashlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from adapters.blobs.backend import PIECE_BYTES, BlobBackend, Upload
from adapters.blobs.bucket import BucketBackend
from adapters.blobs.folder import FolderBackend, sweep
from adapters.blobs.paths import check_path, new_path
from schemas.documents import Blob
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import Settings

T = TypeVar("T")

THREADS = 8  # calls at once; the others wait, one of each file that is written or read
CALL_S_MAX = 60.0  # of one call, waiting for a thread included
RETRY_AFTER_S = 2.0

log = structlog.get_logger(__name__)


class BlobStore:
    """Methods raise Unavailable("blobs_unavailable") when the store fails, Refused("file_missing") when there is no such
    file or it is not the one that was written.
    """

    def __init__(self, settings: Settings, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._drive = _create_backend(settings)
        self._scratch = (settings.node.home / "scratch").absolute()  # copies of files that lie elsewhere, while they are read
        self._bytes_max = settings.documents.file_bytes_max
        self._random_bytes = random_bytes
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")

    async def start(self) -> None:
        """Prepare the store, without connecting. Raises ConfigurationError."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._prepare)

    def _prepare(self) -> None:
        self._drive.open()
        if isinstance(self._drive, FolderBackend):  # its files need no copies
            return
        try:
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep(self._scratch)
        except OSError as error:
            raise ConfigurationError(f"CLAW_HOME: the folder {self._scratch} cannot be used: {error.strerror}") from error

    async def stop(self) -> None:
        """Let the threads end their calls."""
        self._threads.shutdown(wait=False)

    @asynccontextmanager
    async def writer(self, home: str, bytes_max: int = 0) -> AsyncIterator["BlobWriter"]:
        """A new file somewhere in ``home`` (see ``paths.home_of``) of at most ``bytes_max`` bytes (0: the largest file there may be).

        Unless it is committed, nothing is left of it when the block ends.
        """
        async with self.writer_at(new_path(home, self._random_bytes), bytes_max) as written:
            yield written

    @asynccontextmanager
    async def writer_at(self, path: str, bytes_max: int = 0) -> AsyncIterator["BlobWriter"]:
        """A file at this path, in place of the one that is there: for files that are put back."""
        check_path(path)
        written = BlobWriter(self, path, await self.run(self._drive.begin_upload, path), bytes_max or self._bytes_max)
        try:
            yield written
        finally:
            await written.discard()

    async def put(self, home: str, data: bytes) -> Blob:
        """A new file with ``data``."""
        async with self.writer(home) as written:
            await written.write(data)
            return await written.commit()

    async def create(self, path: str, data: bytes) -> bool:
        """Write a small file at a path that follows from its meaning; False when there is one already."""
        return await self.run(self._drive.create, check_path(path), data)

    async def read(self, path: str, bytes_max: int) -> bytes:
        """At most so many bytes of the file at ``path``."""
        return await self.run(self._drive.read, check_path(path), bytes_max, missing=True)

    @asynccontextmanager
    async def local_path(self, blob: Blob) -> AsyncIterator[Path]:
        """The file under a name that a child process can open; it must not be changed."""
        place = self._drive.local_path(check_path(blob.path))
        if place is not None:
            if (await self.run(place.stat, missing=True)).st_size != blob.bytes:
                raise _blob_mismatch()
            yield place
            return
        copy = self._scratch / self._random_bytes(16).hex()
        try:
            if await self.run(self._drive.copy_to, blob.path, copy, blob.bytes + 1, missing=True) != blob.sha256:
                raise _blob_mismatch()
            yield copy
        finally:
            await self.run(lambda: copy.unlink(missing_ok=True))

    async def list_files(self, folder: str) -> list[str]:
        """The paths of all files below a folder, such as ``tenant`` or ``tenant/knowledge-base``."""
        return await self.run(self._drive.list_files, folder)

    async def delete(self, path: str) -> None:
        """Remove the file, if there is one."""
        await self.run(self._drive.delete, check_path(path))

    async def sweep(self) -> int:
        """Remove the files of unfinished uploads and copies that a killed process left a day ago or earlier; returns how many."""
        if isinstance(self._drive, FolderBackend):
            return await self.run(self._drive.sweep)
        return await self.run(sweep, self._scratch)

    async def check(self) -> None:
        """Raise Unavailable unless files can be written."""
        await self.run(self._drive.check)

    async def run(self, work: Callable[..., T], *arguments: object, missing: bool = False) -> T:
        """``work`` in a thread of the store's. ``missing``: FileNotFoundError is raised as it is."""
        try:
            async with asyncio.timeout(CALL_S_MAX):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except OSError as error:
            if missing and isinstance(error, FileNotFoundError):
                raise Refused("file_missing") from None
            log.warning("blobs_unavailable", cause=f"{type(error).__name__}: {error}")
            raise Unavailable("blobs_unavailable", retry_after_s=RETRY_AFTER_S) from error


class BlobWriter:
    """A file being written, from one task."""

    def __init__(self, store: BlobStore, path: str, upload: Upload, bytes_max: int) -> None:
        self._store, self._path, self._upload, self._bytes_max = store, path, upload, bytes_max
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._ended = False
        self._one_at_a_time = threading.Lock()  # an abandoned call may still be running when the file is discarded
        self.bytes = 0

    async def write(self, data: bytes) -> None:
        """Write ``data``, in pieces of a quarter MiB. Raises Refused("document_too_large")."""
        self.bytes += len(data)
        if self.bytes > self._bytes_max:
            raise Refused("document_too_large", f"a file may have {self._bytes_max:,} bytes (CLAW_DOCUMENT_FILE_BYTES_MAX)")
        self._waiting.append(bytes(data))
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= PIECE_BYTES:
            await self._store.run(self._write, self._take_buffer())

    async def commit(self) -> Blob:
        """Put the whole file at its path."""
        await self._store.run(self._commit, self._take_buffer())
        return Blob(path=self._path, bytes=self.bytes, sha256=self._digest.hexdigest())

    async def discard(self) -> None:
        """Remove a file that was not committed; what cannot be removed now is removed later."""
        if not self._ended:
            with suppress(Unavailable):
                await asyncio.shield(asyncio.ensure_future(self._store.run(self._discard)))

    def _take_buffer(self) -> bytes:
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data

    def _write(self, data: bytes) -> None:
        with self._one_at_a_time:
            if not self._ended:
                self._digest.update(data)
                self._upload.write(data)

    def _commit(self, rest: bytes) -> None:
        with self._one_at_a_time:
            if self._ended:
                raise OSError("the upload was discarded")
            self._digest.update(rest)
            self._upload.write(rest)
            self._upload.commit()
            self._ended = True

    def _discard(self) -> None:
        with self._one_at_a_time:
            if not self._ended:
                self._ended = True
                self._upload.discard()


def _create_backend(settings: Settings) -> BlobBackend:
    url = settings.documents.blob_url
    if not url:
        return FolderBackend(settings.node.home / "blobs")
    if "://" not in url:
        return FolderBackend(Path(url))
    if url.startswith("file://"):
        return FolderBackend(Path(url.removeprefix("file://")))
    return BucketBackend(url)


def _blob_mismatch() -> Refused:
    return Refused("file_missing", "the file in the store is not the one that was given")
