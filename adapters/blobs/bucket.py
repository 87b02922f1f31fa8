"""Files wherever ``fsspec`` has a driver for; S3 and what speaks it with the extra ``s3``.

Credentials and endpoint come from where the driver looks for them: for S3 the ``AWS_*`` variables. An object store shows an object only
when it is whole, so uploads go to their place directly.
"""

import errno
import hashlib
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from adapters.blobs.backend import PIECE_BYTES
from schemas.errors import ConfigurationError

PART_BYTES = 5 * 1_048_576  # S3's smallest part: what one upload holds in memory
CONNECT_S, READ_S, TRIES = 5, 30, 3  # of one call to S3
PROBE = "probe"  # overwritten by every check

S3_OPTIONS: dict[str, Any] = {
    "default_block_size": PART_BYTES,
    "default_cache_type": "none",
    "max_concurrency": 1,
    "config_kwargs": {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": TRIES}},
}


class BucketBackend:
    """A ``Backend`` on an ``fsspec`` driver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._files: Any = None
        self._root = ""
        self._errors: tuple[type[Exception], ...] = ()

    def open(self) -> None:
        import fsspec  # type: ignore[import-untyped] # noqa: PLC0415 - only installations that keep their files elsewhere need it

        protocol = self._url.partition("://")[0]
        options = S3_OPTIONS if protocol in ("s3", "s3a") else {}
        try:
            self._files, root = fsspec.core.url_to_fs(self._url, skip_instance_cache=True, use_listings_cache=False, **options)
        except ImportError as error:
            raise ConfigurationError(f"CLAW_DOCUMENT_BLOB_URL: {protocol}:// needs a driver: {error}; for S3 install claw[s3]") from error
        except ValueError as error:
            raise ConfigurationError(f"CLAW_DOCUMENT_BLOB_URL: {error}") from error
        self._root = root.rstrip("/")
        self._errors = _vendor_errors(protocol)

    def begin_upload(self, path: str) -> "BucketUpload":
        place = f"{self._root}/{path}"
        return BucketUpload(self._files, place, self._call(self._files.open, place, "wb"), self._errors)

    def create(self, path: str, data: bytes) -> bool:
        place = f"{self._root}/{path}"
        if self._call(self._files.exists, place):
            return False
        try:
            self._call(self._files.pipe_file, place, data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            self._call(self._files.pipe_file, place, data)  # without conditional writes: there was no such file a moment ago
        return True

    def read(self, path: str, bytes_max: int) -> bytes:
        return bytes(self._call(self._files.cat_file, f"{self._root}/{path}", start=0, end=bytes_max))

    def local_path(self, path: str) -> None:
        """None: files are copied."""

    def copy_to(self, path: str, into: Path, bytes_max: int) -> str:
        digest, left = hashlib.sha256(), bytes_max
        with self._call(self._files.open, f"{self._root}/{path}", "rb") as source, into.open("wb") as target:
            while left > 0 and (piece := self._call(source.read, min(PIECE_BYTES * 16, left))):
                left -= len(piece)
                digest.update(piece)
                target.write(piece)
        return digest.hexdigest()

    def list_files(self, folder: str) -> list[str]:
        try:
            found = self._call(self._files.find, f"{self._root}/{folder}")
        except FileNotFoundError:
            return []
        return [str(path).removeprefix(f"{self._root}/") for path in found]

    def delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._call(self._files.rm_file, f"{self._root}/{path}")

    def check(self) -> None:
        self._call(self._files.pipe_file, f"{self._root}/{PROBE}", b"?")

    def _call(self, work: Any, *arguments: Any, **named: Any) -> Any:
        return call_vendor(self._errors, work, *arguments, **named)


class BucketUpload:
    """An upload to a bucket."""

    def __init__(self, files: Any, place: str, file: Any, errors: tuple[type[Exception], ...]) -> None:
        self._files, self._place, self._file, self._errors = files, place, file, errors

    def write(self, data: bytes) -> None:
        call_vendor(self._errors, self._file.write, data)

    def commit(self) -> None:
        call_vendor(self._errors, self._file.close)

    def discard(self) -> None:
        from fsspec.spec import AbstractBufferedFile  # type: ignore[import-untyped] # noqa: PLC0415 - see Bucket.open

        try:
            call_vendor(self._errors, self._file.discard)
        finally:
            if isinstance(self._file, AbstractBufferedFile):
                self._file.closed = True  # or it would be completed when it is collected
        with suppress(FileNotFoundError):  # most drivers show nothing before it is whole
            call_vendor(self._errors, self._files.rm_file, self._place)


def call_vendor(errors: tuple[type[Exception], ...], work: Any, *arguments: Any, **named: Any) -> Any:
    """The result of ``work``, with the vendor's exceptions as OSError."""
    try:
        return work(*arguments, **named)
    except errors as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _vendor_errors(protocol: str) -> tuple[type[Exception], ...]:
    """What drivers raise beside OSError when the store does not answer as it should."""
    found: list[type[Exception]] = [RuntimeError]
    if protocol in ("s3", "s3a"):
        exceptions = import_module("botocore.exceptions")
        found += [exceptions.BotoCoreError, exceptions.ClientError, import_module("aiohttp").ClientError]
    return tuple(found)
