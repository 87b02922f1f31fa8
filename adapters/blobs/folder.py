"""Files in a folder of this machine.

Written directly, not through a driver: a file that an accepted event names must be on the disk (fsync of file and folder), readable by
nobody else (0600), and in its place only when it is whole (a rename from ``.incoming``).
"""

import os
import time
from pathlib import Path
from secrets import token_hex

from schemas.errors import ConfigurationError

INCOMING = ".incoming"  # no path of a file begins with a dot
STALE_S = 86_400  # of files that a killed process left there; longer than any upload may take


class FolderBackend:
    """A ``Backend`` in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._incoming = self._root / INCOMING

    def open(self) -> None:
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            sweep(self._incoming)
        except OSError as error:
            raise ConfigurationError(f"CLAW_DOCUMENT_BLOB_URL: the folder {self._root} cannot be used: {error.strerror}") from error

    def sweep(self) -> int:
        """Remove what uploads of killed processes left behind; returns how many files."""
        return sweep(self._incoming)

    def begin_upload(self, path: str) -> "FolderUpload":
        return FolderUpload(self._incoming / token_hex(16), self._root / path)

    def create(self, path: str, data: bytes) -> bool:
        upload = FolderUpload(self._incoming / token_hex(16), self._root / path)
        try:
            upload.write(data)
            return upload.commit_new()
        finally:
            upload.discard()

    def read(self, path: str, bytes_max: int) -> bytes:
        with (self._root / path).open("rb") as file:
            return file.read(bytes_max)

    def local_path(self, path: str) -> Path:
        return self._root / path

    def copy_to(self, path: str, into: Path, bytes_max: int) -> str:
        raise NotImplementedError  # not called: ``local`` returns the path

    def list_files(self, folder: str) -> list[str]:
        found = (Path(root) / name for root, _, names in os.walk(self._root / folder) for name in names)
        return [path.relative_to(self._root).as_posix() for path in found]

    def delete(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def check(self) -> None:
        upload = self.begin_upload("")
        try:
            upload.write(b"?")
        finally:
            upload.discard()


class FolderUpload:
    """An upload to a folder."""

    def __init__(self, incoming: Path, place: Path) -> None:
        self._incoming, self._place = incoming, place
        self._file = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def commit(self) -> None:
        created = self._sync_content()
        self._incoming.replace(self._place)
        self._sync_folders(created)
        self._close()

    def commit_new(self) -> bool:
        """Commit; False when there is a file already."""
        created = self._sync_content()
        try:
            os.link(self._incoming, self._place)
        except FileExistsError:
            return False
        self._sync_folders(created)
        return True

    def _sync_content(self) -> list[Path]:
        """Sync the content and create the folders; which folders were created."""
        os.fsync(self._file)
        missing = [folder for folder in self._place.parents if not folder.exists()]
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return missing

    def _sync_folders(self, created: list[Path]) -> None:
        """Sync the folders: a name is durable only when its folder is."""
        for folder in (self._place.parent, *(folder.parent for folder in created)):
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(number)
            finally:
                os.close(number)

    def discard(self) -> None:
        self._close()
        self._incoming.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def sweep(folder: Path) -> int:
    """Remove files whose upload must have ended; returns how many."""
    before_s, removed = time.time() - STALE_S, 0
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before_s:
            Path(entry.path).unlink(missing_ok=True)
            removed += 1
    return removed
