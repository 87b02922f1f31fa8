"""The interface of blob stores, as blocking calls: ``BlobStore`` runs them in threads.

Every method may raise OSError; FileNotFoundError means that there is no such file.
"""

from pathlib import Path
from typing import Protocol

PIECE_BYTES = 262_144  # read or written at once


class Upload(Protocol):
    """A file being written. It is invisible before ``commit``; after ``discard`` nothing of it is left."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Put the file at its path, durably."""
        ...

    def discard(self) -> None: ...


class BlobBackend(Protocol):
    """A store of files by relative path."""

    def open(self) -> None:
        """Prepare the store, without connecting. Raises ConfigurationError when it can never work."""
        ...

    def begin_upload(self, path: str) -> Upload: ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a small file at once; False when there is one already."""
        ...

    def read(self, path: str, bytes_max: int) -> bytes:
        """At most so many bytes of the file."""
        ...

    def local_path(self, path: str) -> Path | None:
        """The local path of the file; None when it has to be copied first."""
        ...

    def copy_to(self, path: str, into: Path, bytes_max: int) -> str:
        """Copy at most so many bytes to a local file; their SHA-256 in hex."""
        ...

    def list_files(self, folder: str) -> list[str]:
        """The paths of all files below a folder; none when there is no such folder."""
        ...

    def delete(self, path: str) -> None:
        """Remove the file, if there is one."""
        ...

    def check(self) -> None:
        """Check that files can be written."""
        ...
