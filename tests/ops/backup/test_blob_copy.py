"""Files of documents in a backup: those that there are, and the names of those that are gone."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from adapters.blobs import BlobStore
from adapters.web.fetch import WebPage
from domain.documents.sources import StoredPage, blob_path
from ops.backup import blob_copy
from ops.backup.archive import Archive, ArchiveWriter, create_archive, open_archive
from ops.backup.blob_copy import ArchivedBlob, BlobCopy, NamedBlobs, copy_blobs, restore_blobs
from ops.backup.errors import BackupDamaged
from ops.backup.frames import LogEntry, write_frame
from ops.backup.manifest import ArchivedFile
from ops.backup.verify import verify
from schemas.documents import (
    Blob,
    Document,
    DocumentSubmitted,
    DocumentVersionsKept,
    DocumentWithdrawn,
    KeptVersion,
    KeptVersions,
    Withdrawal,
)
from schemas.settings import NodeSettings, Settings
from tests.support.backups import backup_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)
FOLDER = "t/kb"


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[BlobStore]:
    store = BlobStore(Settings(node=NodeSettings(home=tmp_path / "old")))
    await store.start()
    yield store
    await store.stop()


def submission(offset: int, document: str, blob: Blob | None = None, url: str = "") -> tuple[LogEntry, DocumentSubmitted]:
    data = Document(knowledge_base_id="kb", document_id=document, title="", media_type="application/pdf", blob=blob, url=url)
    event = DocumentSubmitted(id=f"e{offset}", source="/t", subject=f"t/kb/{document}", time=NOW, tenant="t", traceparent="", data=data)
    return LogEntry(offset, 0, f"t/kb/{document}".encode(), msgspec.json.encode(event)), event


def withdrawal(offset: int, document: str) -> LogEntry:
    data = Withdrawal(knowledge_base_id="kb", document_id=document)
    event = DocumentWithdrawn(id=f"e{offset}", source="/t", subject=f"t/kb/{document}", time=NOW, tenant="t", traceparent="", data=data)
    return LogEntry(offset, 0, f"t/kb/{document}".encode(), msgspec.json.encode(event))


async def copied(blobs: BlobStore, path: Path, *entries: LogEntry) -> BlobCopy:
    with create_archive(path) as archive, closing(NamedBlobs()) as named:
        for each in entries:
            named.add(each)
        copy = await copy_blobs(blobs, archive, named)
        archive.finish(backup_of(copy.volumes, copy.bytes))
    return copy


async def test_files_come_back_at_their_paths(blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of two documents once, a page with its description; one that replaced a document's file is not missed, a newest one is."""
    monkeypatch.setattr(blob_copy, "VOLUME_BYTES", 10)
    monkeypatch.setattr(blob_copy, "PIECE_BYTES", 100)
    contents = {name: name.encode() * 77 for name in ("one", "two", "empty", "old", "gone", "changed", "page")} | {"empty": b""}
    stored = {name: await blobs.put(FOLDER, content) for name, content in contents.items()}
    for name in ("old", "gone"):
        await blobs.delete(stored[name].path)
    await blobs.delete(stored["changed"].path)
    await blobs.create(stored["changed"].path, b"x" * stored["changed"].bytes)
    page_entry, page = submission(9, "page", url="https://example.org/")
    described = StoredPage(
        page=WebPage(url="https://example.org/", media_type="text/html", charset="utf-8", filename=""), blob=stored["page"]
    )
    await blobs.create(blob_path(page, 9), msgspec.json.encode(described))
    entries = [submission(n, name, stored[name])[0] for n, name in enumerate(("one", "two", "empty", "old", "gone", "changed"))]
    entries += [submission(6, "again", stored["one"])[0], submission(7, "old", stored["two"])[0], page_entry]
    entries += [
        submission(10, "unfetched", url="https://example.org/2")[0],
        LogEntry(11, 0, b"t/kb/x", b"no event"),
        LogEntry(12, 0, b"k", None),
    ]
    copy = await copied(blobs, tmp_path / "b.tar", *entries)
    assert sorted(copy.missing) == sorted([stored["gone"].path, stored["changed"].path])
    assert sum(each.count for each in copy.volumes) == 5
    assert len(copy.volumes) > 1
    new = BlobStore(Settings(node=NodeSettings(home=tmp_path / "new")))
    await new.start()
    with open_archive(tmp_path / "b.tar") as archive:
        verify(archive, lambda _: None)
        await restore_blobs(new, archive)
        await restore_blobs(new, archive)  # as a restore that begins anew
    for name in ("one", "two", "empty", "page"):
        async with new.local_path(stored[name]) as path:
            assert path.read_bytes() == contents[name]
    assert await new.read(blob_path(page, 9), 9_999) == msgspec.json.encode(described)
    await new.stop()


async def test_the_file_of_a_deleted_document_is_not_missed(blobs: BlobStore, tmp_path: Path) -> None:
    gone = Blob(path=f"{FOLDER}/aa/aa", bytes=3, sha256="0" * 64)
    copy = await copied(blobs, tmp_path / "b", submission(1, "d", gone)[0], withdrawal(2, "d"))
    assert (copy.missing_total, sum(each.count for each in copy.volumes)) == (0, 0)


async def test_the_files_of_replaced_versions_come_back(blobs: BlobStore, tmp_path: Path) -> None:
    """Those that the log says are kept; one that is gone by now is not missed."""
    stored, gone = await blobs.put(FOLDER, b"the first version"), Blob(path=f"{FOLDER}/aa/aa", bytes=3, sha256="0" * 64)
    files = [
        KeptVersion(version=n, path=each.path, bytes=each.bytes, sha256=each.sha256, submitted_at=NOW)
        for n, each in ((1, stored), (2, gone))
    ]
    data = KeptVersions(knowledge_base_id="kb", document_id="d", version=3, kept=tuple(files))
    event = DocumentVersionsKept(id="e", source="/t", subject="t/kb/d", time=NOW, tenant="t", traceparent="", data=data)
    entry = LogEntry(7, 0, b"t/kb/d", msgspec.json.encode(event))
    with create_archive(tmp_path / "b") as archive, closing(NamedBlobs()) as named:
        for each in (entry, LogEntry(8, 0, b"k", None), LogEntry(9, 0, b"k", b"no event")):
            named.add_kept(each)
        copy = await copy_blobs(blobs, archive, named)
    assert (copy.missing_total, copy.bytes, sum(each.count for each in copy.volumes)) == (0, stored.bytes, 1)


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("../../etc/passwd", b"abc", "no path inside"),
        ("t/kb/.incoming", b"abc", "no path inside"),
        ("t/kb/aa/aa", b"abd", "not the one that was stored"),
        ("t/kb/aa/aa", b"ab", "not whole"),
        ("t/kb/aa/aa", b"abcd", "not whole"),
    ],
)
def test_a_volume_that_no_backup_writes(tmp_path: Path, path: str, data: bytes, says: str) -> None:
    def write(archive: ArchiveWriter) -> ArchivedFile:
        with archive.file("blobs/00000") as file:
            write_frame(file, msgspec.msgpack.encode(ArchivedBlob(path, 3, hashlib.sha256(b"abc").hexdigest())))
            write_frame(file, data)
            file.count = 1
        return file.describe("blobs/00000")

    with create_archive(tmp_path / "b") as writer:
        writer.finish(backup_of([write(writer)], 3))

    def check(archive: Archive) -> None:
        verify(archive, lambda _: None)

    with open_archive(tmp_path / "b") as archive, pytest.raises(BackupDamaged, match=says):
        check(archive)
