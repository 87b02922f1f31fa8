"""Manifests of small backups."""

from datetime import UTC, datetime

from ops.backup.manifest import FORMAT, ArchivedFile, ArchivedPartition, ArchivedTopic, Manifest


def backup_of(volumes: list[ArchivedFile], size: int) -> Manifest:
    """One topic without records, and these files."""
    topic = ArchivedTopic(name="claw.x.v1", config={}, partitions=(ArchivedPartition(begin=0, end=0),))
    made = datetime(2026, 11, 30, tzinfo=UTC)
    return Manifest(
        format=FORMAT, claw_version="1", created_at=made, topic_prefix="", topics=(topic,), blobs=tuple(volumes), blob_bytes=size
    )
