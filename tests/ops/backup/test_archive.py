"""Backups as folders and tar archives: whole or none, and nothing outside of them."""

import errno
import io
import os
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from ops.backup.archive import create_archive, open_archive
from ops.backup.errors import BackupDamaged
from ops.backup.frames import LogEntry, pack, write_entry
from ops.backup.manifest import FORMAT, MANIFEST, ArchivedPartition, ArchivedTopic, Manifest
from ops.backup.verify import verify
from schemas.errors import ConfigurationError

TOPIC = "claw.messages.changed.v1"
FILE = f"topics/{TOPIC}/0.gz"


def make(path: Path, count: int = 50) -> Manifest:
    """A backup of a topic with so many records, every second offset."""
    with create_archive(path) as archive:
        with archive.file(FILE) as file, pack(file) as packed:
            for n in range(count):
                write_entry(packed, LogEntry(10 + 2 * n, n, b"k%d" % n, os.urandom(50)))
                file.count += 1
        partition = ArchivedPartition(begin=3, end=10 + 2 * count, first=10, last=8 + 2 * count, file=file.describe(FILE))
        made = Manifest(
            format=FORMAT,
            claw_version="1.2",
            created_at=datetime(2026, 11, 30, tzinfo=UTC),
            topic_prefix="",
            topics=(ArchivedTopic(name=TOPIC, config={}, partitions=(partition,)),),
        )
        archive.finish(made)
    return made


def check(path: Path) -> Manifest:
    with open_archive(path) as archive:
        verify(archive, lambda _: None)
        return archive.manifest


@pytest.fixture(params=["backup", "backup.tar"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / str(request.param)


def test_what_is_written_is_read_by_its_owner_alone(path: Path) -> None:
    made = make(path)
    assert check(path) == made
    assert made.records == 50
    for each in [path, *path.rglob("*")]:
        assert not stat.S_IMODE(each.stat().st_mode) & 0o077, each
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_of_one_that_fails(path: Path, failure: BaseException) -> None:
    def fail() -> None:
        with create_archive(path) as archive:
            with archive.file(FILE) as file:
                file.write(b"x")
            raise failure

    with pytest.raises(ConfigurationError if isinstance(failure, OSError) else KeyboardInterrupt) as caught:
        fail()
    if isinstance(failure, OSError):
        assert "No space left on device" in str(caught.value)
    assert list(path.parent.iterdir()) == []
    make(path)


def test_what_is_there_is_not_overwritten(path: Path) -> None:
    made = make(path)
    with pytest.raises(ConfigurationError, match="exists already"):
        make(path)
    assert check(path) == made


def test_one_that_was_killed_is_no_backup(path: Path) -> None:
    """Its process ended without another word, before the manifest."""
    killed = create_archive(path)
    archive = killed.__enter__()  # and never left
    with archive.file(FILE) as file:
        file.write(b"x")
    with pytest.raises((BackupDamaged, ConfigurationError), match=r"no manifest|cannot be read"):
        check(path)
    if path.suffix:
        make(path)  # what it left is in a folder of its own
    assert killed


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    make(tmp_path / "b")
    place = tmp_path / "b" / FILE
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)
    with pytest.raises(BackupDamaged, match=FILE):
        check(tmp_path / "b")
    place.unlink()
    with pytest.raises(BackupDamaged, match=FILE):
        check(tmp_path / "b")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_an_archive_that_was_cut(tmp_path: Path, share: float) -> None:
    make(tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "c.tar").write_bytes(content[: int(len(content) * share * 0.5)])
    with pytest.raises(BackupDamaged):
        check(tmp_path / "c.tar")


def evil(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    make(tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "a") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return tmp_path / "b.tar"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "./evil", "a/b/c/d", "a\nb", ".hidden", ""])
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(BackupDamaged, match="no name of a file"):
        check(evil(tmp_path, tarfile.TarInfo(name)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_members_that_are_no_files(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("secrets")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(BackupDamaged, match="no regular file"):
        check(evil(tmp_path, member))


def test_a_name_twice(tmp_path: Path) -> None:
    with pytest.raises(BackupDamaged, match="twice"):
        check(evil(tmp_path, tarfile.TarInfo(MANIFEST)))


def test_links_in_a_folder(tmp_path: Path) -> None:
    make(tmp_path / "b")
    place = tmp_path / "b" / FILE
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupDamaged, match="no such file"):
        check(tmp_path / "b")


def test_what_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no backup")
    for path, error in ((tmp_path, BackupDamaged), (tmp_path / "text", BackupDamaged), (tmp_path / "absent", ConfigurationError)):
        with pytest.raises(error):
            check(path)


def test_records_that_are_not_those_of_the_manifest(tmp_path: Path) -> None:
    """Hash and file agree, count or offsets do not."""
    made = make(tmp_path / "b")
    (partition,) = made.topics[0].partitions
    for wrong in (replace(partition, first=11), replace(partition, last=partition.end - 1)):
        with open_archive(tmp_path / "b") as archive:
            archive.manifest = replace(made, topics=(replace(made.topics[0], partitions=(wrong,)),))
            with pytest.raises(BackupDamaged, match=FILE):
                verify(archive, lambda _: None)
