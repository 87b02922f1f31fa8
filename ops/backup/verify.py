"""Whether a backup is what was written: every hash, every record, every count."""

from ops.backup.archive import Archive
from ops.backup.blob_copy import check_volume
from ops.backup.errors import BackupDamaged
from ops.backup.frames import read_entries
from ops.backup.log_copy import Report
from ops.backup.manifest import ArchivedPartition


def verify(archive: Archive, report: Report) -> None:
    """Read all of it. Raises BackupDamaged, which names the file."""
    manifest = archive.manifest
    for topic in manifest.topics:
        for each in topic.partitions:
            _check_partition(archive, each)
    report(f"{len(manifest.topics)} topics, {manifest.records:,} records: as they were written")
    size = 0
    for volume in manifest.blobs:
        archive.check_hash(volume)
        size += check_volume(archive, volume)
    if size != manifest.blob_bytes:
        raise BackupDamaged(f"the files of documents have {size:,} bytes, the manifest says {manifest.blob_bytes:,}")
    report(f"{manifest.blob_count:,} files of documents, {size:,} bytes: as they were stored")
    for secret in manifest.secrets:
        archive.check_hash(secret)


def _check_partition(archive: Archive, each: ArchivedPartition) -> None:
    if each.file is None:
        return
    archive.check_hash(each.file)
    count, first, last = 0, None, None
    with archive.open(each.file) as file:
        for entry in read_entries(file, each.file.name):
            count, first, last = count + 1, entry.offset if first is None else first, entry.offset
    if (count, first, last) != (each.file.count, each.first, each.last):
        raise BackupDamaged(f"{each.file.name}: it has {count} records, {first} to {last}, and not those that the manifest names")
