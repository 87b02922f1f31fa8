"""What lies below the blob store, as blocking calls: the store runs them in threads.

Every method may raise OSError; FileNotFoundError means that nothing is there.
"""

from pathlib import Path
from typing import Protocol

PIECE_BYTES = 262_144  # read or written at once


class Upload(Protocol):
    """A file being written. Nobody sees it before ``commit``; after ``discard`` nothing of it is left."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """It is in its place, and on the disk."""
        ...

    def discard(self) -> None: ...


class BlobBackend(Protocol):
    """A store of files by relative path."""

    def open(self) -> None:
        """Make ready. Raises ConfigurationError when that can never work; does not connect to anything."""
        ...

    def begin_upload(self, path: str) -> Upload: ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file whole, unless there is one: then False."""
        ...

    def read(self, path: str, bytes_max: int) -> bytes:
        """At most so many bytes of it."""
        ...

    def local_path(self, path: str) -> Path | None:
        """The file itself, where it can be opened by its name; None when it has to be copied here first."""
        ...

    def copy_to(self, path: str, into: Path, bytes_max: int) -> str:
        """Copy at most so many bytes here; the SHA-256 of what was copied in hex."""
        ...

    def delete(self, path: str) -> None:
        """It is gone, or never was there."""
        ...

    def check(self) -> None:
        """Prove that files can be written."""
        ...
