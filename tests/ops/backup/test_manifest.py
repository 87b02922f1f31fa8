"""Manifests: what is accepted, and what is refused by name."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ops.backup.errors import BackupDamaged
from ops.backup.manifest import (
    ArchivedFile,
    ArchivedPartition,
    ArchivedTopic,
    CommittedOffset,
    Manifest,
    decode_manifest,
    encode_manifest,
)

FILE = ArchivedFile(name="topics/claw.a.v1/0.gz", bytes=9, sha256="0" * 64, count=3)
MANIFEST = Manifest(
    format=1,
    claw_version="1.0",
    created_at=datetime(2026, 11, 30, tzinfo=UTC),
    topic_prefix="p.",
    topics=(
        ArchivedTopic(
            name="claw.a.v1",
            config={"cleanup.policy": "compact"},
            partitions=(ArchivedPartition(begin=2, end=9, first=3, last=8, file=FILE), ArchivedPartition(begin=4, end=4)),
        ),
    ),
    offsets=(CommittedOffset(group="tables", topic="claw.a.v1", partition=1, offset=4),),
)


def changed(path: str, value: Any) -> bytes:
    """The manifest with one value replaced."""
    whole = msgspec.json.decode(encode_manifest(MANIFEST))
    *parents, last = path.split(".")
    at = whole
    for each in parents:
        at = at[int(each)] if each.isdecimal() else at[each]
    at[last] = value
    return msgspec.json.encode(whole)


def test_it_comes_back() -> None:
    assert decode_manifest(encode_manifest(MANIFEST)) == MANIFEST


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("format", 2, "the format 2, written by Claw 1.0, is not 1"),
        ("extra", 1, "no manifest"),
        ("topics.0.name", "other", "no topic"),
        ("topics.0.name", "claw./etc", "no topic"),
        ("topics.0.partitions", [], "no partitions"),
        ("topics.0.partitions.0.first", 1, r"claw.a.v1\[0\] contradict"),
        ("topics.0.partitions.0.last", 9, "contradict"),
        ("topics.0.partitions.0.end", -1, "no manifest"),
        ("topics.0.partitions.0.file", None, "contradict"),
        ("topics.0.partitions.0.file.count", 7, "contradict"),
        ("topics.0.partitions.0.file.name", "../../etc/passwd", "may lead out"),
        ("topics.0.partitions.0.file.name", "manifest.json", "named twice"),
        ("offsets.0.partition", 2, "not in the backup"),
        ("secrets", [{"name": "secrets/credentials", "bytes": 1, "sha256": ""}], "none of the secrets"),
    ],
)
def test_what_a_backup_does_not_write(path: str, value: Any, says: str) -> None:
    with pytest.raises(BackupDamaged, match=says):
        decode_manifest(changed(path, value))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"format": "1"}'])
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(BackupDamaged, match="no manifest"):
        decode_manifest(data)
