"""A backup as files: a folder, or a tar archive. Written, it has its manifest last and is complete then; read, it gives away no other path.

Nobody but the owner can read what is written: it holds questions, documents and hashes of passwords.
"""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from ops.backup.errors import BackupDamaged
from ops.backup.manifest import (
    MANIFEST,
    MANIFEST_BYTES_MAX,
    ArchivedFile,
    Manifest,
    check_entry_name,
    decode_manifest,
    encode_manifest,
)
from schemas.errors import ConfigurationError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
TAR = ".tar"
PIECE_BYTES = 1_048_576


class HashedFile:
    """A file being written, its bytes counted and hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.count = 0  # of what its writer counts

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._file.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Packers call it; the file is flushed when it is complete."""

    def describe(self, name: str) -> ArchivedFile:
        return ArchivedFile(name=name, bytes=self.bytes, sha256=self._digest.hexdigest(), count=self.count)


class Target(Protocol):
    """Where a backup is written."""

    def place(self, name: str) -> Path:
        """Where to write the file of this name, before ``add``."""
        ...

    def add(self, name: str) -> None:
        """The file is complete."""
        ...

    def finish(self) -> None:
        """The backup is complete; the manifest was added last."""
        ...

    def abandon(self) -> None:
        """Remove what was written."""
        ...


class FolderTarget:
    """A folder, in which the files lie at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._created = not path.exists()
        if not self._created and (not path.is_dir() or any(path.iterdir())):
            hint = "" if (path / MANIFEST).exists() or not path.is_dir() else "; an incomplete backup may be deleted"
            raise ConfigurationError(f"{path} exists already: name another place for the backup{hint}")
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    def place(self, name: str) -> Path:
        place = self._path / (f".{name}" if name == MANIFEST else name)
        for folder in reversed(place.parents[: len(place.relative_to(self._path).parts) - 1]):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        return place

    def add(self, name: str) -> None:
        if name == MANIFEST:
            for folder in sorted({each.parent for each in self._path.rglob("*")}):
                _sync(folder)
            self.place(name).replace(self._path / name)

    def finish(self) -> None:
        _sync(self._path)

    def abandon(self) -> None:
        for each in self._path.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        if self._created:
            self._path.rmdir()


class TarTarget:
    """A tar archive, which gets its name when it is complete. Files are written beside it first, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path, self._folder = path, path.with_name(f".{path.name}.partial")
        if path.exists():
            raise ConfigurationError(f"{path} exists already: name another place for the backup")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)  # of a backup that was killed
        self._folder.mkdir(mode=FOLDER_MODE)
        self._file = _create(self._folder / "backup.tar")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by ``finish``, ``abandon``

    def place(self, name: str) -> Path:  # noqa: ARG002 - one file at a time
        return self._folder / "entry"

    def add(self, name: str) -> None:
        place = self.place(name)
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = place.stat().st_size, FILE_MODE, int(place.stat().st_mtime)
        with place.open("rb") as file:
            self._tar.addfile(member, file)
        place.unlink()

    def finish(self) -> None:
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        (self._folder / "backup.tar").replace(self._path)
        self._folder.rmdir()
        _sync(self._path.parent)

    def abandon(self) -> None:
        with suppress(OSError):  # of a full disk
            self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class ArchiveWriter:
    """Writes the files of a backup, one after the other."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @contextmanager
    def file(self, name: str) -> Iterator[HashedFile]:
        """A new file, complete when the block ends."""
        place = self._target.place(check_entry_name(name))
        with _create(place) as file:
            yield HashedFile(file)
            file.flush()
            os.fsync(file.fileno())
        self._target.add(name)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest: the backup is complete."""
        with self.file(MANIFEST) as file:
            file.write(encode_manifest(manifest))
        self._target.finish()


@contextmanager
def create_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A new backup at ``path``: a tar archive when its name ends with ``.tar``, else a folder. Removed again when the block fails.

    Raises ConfigurationError when something is there, or the disk does not take it.
    """
    try:
        target: Target = TarTarget(path) if path.suffix == TAR else FolderTarget(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    try:
        yield ArchiveWriter(target)
    except OSError as error:
        target.abandon()
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}; what there was of the backup is removed") from error
    except BaseException:
        target.abandon()
        raise


class Archive:
    """A backup that is read. Methods raise BackupDamaged."""

    def __init__(self, path: Path, manifest: Manifest, open_file: Callable[[str], BinaryIO]) -> None:
        self.path, self.manifest, self._open = path, manifest, open_file

    def open(self, file: ArchivedFile) -> BinaryIO:
        """A file of the manifest."""
        return self._open(file.name)

    def read(self, file: ArchivedFile, bytes_max: int) -> bytes:
        """A small file."""
        with self.open(file) as opened:
            return opened.read(bytes_max)

    def check_hash(self, file: ArchivedFile) -> None:
        """Whether the file is the one that was written."""
        digest, size = hashlib.sha256(), 0
        with self.open(file) as opened:
            while piece := opened.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
        if (size, digest.hexdigest()) != (file.bytes, file.sha256):
            raise BackupDamaged(f"{file.name}: the file is not the one that was written: it has {size:,} of {file.bytes:,} bytes or others")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The backup at ``path``. Raises BackupDamaged when it is incomplete or none, ConfigurationError when it cannot be read."""
    try:
        if path.is_dir():
            yield _open(path, lambda name: _open_in_folder(path, name))
        else:
            with path.open("rb") as file:
                members = _members(path, file)
                yield _open(path, lambda name: _open_member(file, members, name))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def _open(path: Path, open_file: Callable[[str], BinaryIO]) -> Archive:
    try:
        with open_file(MANIFEST) as file:
            data = file.read(MANIFEST_BYTES_MAX + 1)
    except BackupDamaged as error:
        raise BackupDamaged(f"{path}: there is no {MANIFEST}: this is no backup, or one that did not end") from error
    if len(data) > MANIFEST_BYTES_MAX:
        raise BackupDamaged(f"{MANIFEST}: it is larger than {MANIFEST_BYTES_MAX:,} bytes")
    return Archive(path, decode_manifest(data), open_file)


def _open_in_folder(path: Path, name: str) -> BinaryIO:
    place = path / check_entry_name(name)
    if any(each.is_symlink() for each in (place, *place.parents[: len(name.split("/")) - 1])) or not place.is_file():
        raise BackupDamaged(f"{name}: there is no such file in the backup")
    return place.open("rb")


def _members(path: Path, file: BinaryIO) -> dict[str, tarfile.TarInfo]:
    """The files of a tar archive by name; nothing is unpacked."""
    found: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name = check_entry_name(member.name)
                if not member.isreg() or name in found:
                    raise BackupDamaged(f"{path}: {name!r} is no regular file, or is there twice")
                found[name] = member
    except tarfile.TarError as error:
        raise BackupDamaged(f"{path}: this is no whole tar archive: {error}") from error
    return found


def _open_member(file: BinaryIO, members: dict[str, tarfile.TarInfo], name: str) -> BinaryIO:
    member = members.get(name)
    if member is None:
        raise BackupDamaged(f"{name}: there is no such file in the backup")
    return PartOfFile(file, member.offset_data, member.size)  # type: ignore[return-value]  # it reads as a BinaryIO does


class PartOfFile:
    """A range of bytes of a file, read as a file."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file, self._position, self._end = file, begin, begin + size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The file is its opener's to close."""

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; fewer only at the end."""
        left = self._end - self._position
        self._file.seek(self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "w+b")


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
