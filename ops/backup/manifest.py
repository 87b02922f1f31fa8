"""The manifest of a backup: what it consists of, with the hash of every file. It is written last; a backup without one is incomplete."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ops.backup.errors import BackupDamaged

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 64 * 1_048_576  # about 100,000 partitions
MISSING_NAMED_MAX = 100  # of files that were gone
SECRETS = ("secret", "key")  # files of CLAW_HOME that a backup may hold

_ENTRY_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,248}")
_TOPIC = re.compile(r"claw\.[a-z0-9.-]{1,240}")
_PARTS_MAX = 3

Count = Annotated[int, Meta(ge=0)]


class ArchivedFile(Struct, frozen=True, kw_only=True):
    """A file of the backup. ``count``: the records or files in it."""

    name: str
    bytes: Count
    sha256: str
    count: Count = 0


class ArchivedPartition(Struct, frozen=True, kw_only=True):
    """A partition from ``begin`` up to, not including, ``end``. ``first`` and ``last`` are offsets of records; None without any, then there
    is no ``file``.
    """

    begin: Count
    end: Count
    first: Count | None = None
    last: Count | None = None
    file: ArchivedFile | None = None


class ArchivedTopic(Struct, frozen=True, kw_only=True):
    """A topic by its name without prefix; ``config`` is what was set on the topic itself."""

    name: str
    config: dict[str, str]
    partitions: tuple[ArchivedPartition, ...]

    @property
    def records(self) -> int:
        return sum(each.file.count for each in self.partitions if each.file)


class CommittedOffset(Struct, frozen=True, kw_only=True):
    """How far a worker group had come in a partition."""

    group: str
    topic: str
    partition: Count
    offset: Count


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``blobs`` are volumes of files of documents, ``blob_bytes`` the bytes of these files. ``missing``: paths of files that the log names
    and the blob store did not have, the first of ``missing_total``. ``unreadable``: ranges of the log that could not be read.
    """

    format: int
    claw_version: str
    created_at: datetime
    topic_prefix: str
    topics: tuple[ArchivedTopic, ...]
    offsets: tuple[CommittedOffset, ...] = ()
    blobs: tuple[ArchivedFile, ...] = ()
    blob_bytes: Count = 0
    missing: tuple[str, ...] = ()
    missing_total: Count = 0
    unreadable: tuple[str, ...] = ()
    secrets: tuple[ArchivedFile, ...] = ()

    @property
    def records(self) -> int:
        return sum(topic.records for topic in self.topics)

    @property
    def blob_count(self) -> int:
        return sum(each.count for each in self.blobs)

    def files(self) -> Iterator[ArchivedFile]:
        """Every file beside the manifest."""
        for topic in self.topics:
            yield from (each.file for each in topic.partitions if each.file)
        yield from self.blobs
        yield from self.secrets


class _Format(Struct):
    format: int
    claw_version: str = ""


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as a file for people, too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Raises BackupDamaged for another format, and for anything that a backup does not write."""
    try:
        found = msgspec.json.decode(data, type=_Format)
        if found.format != FORMAT:
            by = f", written by Claw {found.claw_version}" if found.claw_version else ""
            raise BackupDamaged(f"{MANIFEST}: the format {found.format}{by}, is not {FORMAT}, which this release reads: use that release")
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupDamaged(f"{MANIFEST}: this is no manifest of a backup: {error}") from error
    _check(manifest)
    return manifest


def check_entry_name(name: str) -> str:
    """``name`` when it stays inside a backup; raises BackupDamaged otherwise."""
    parts = name.split("/")
    if len(parts) > _PARTS_MAX or not all(_ENTRY_PART.fullmatch(part) for part in parts):
        raise BackupDamaged(f"{name!r} is no name of a file in a backup: it may lead out of it")
    return name


def _check(manifest: Manifest) -> None:
    names = [check_entry_name(file.name) for file in manifest.files()]
    if len(set(names)) < len(names) or MANIFEST in names:
        raise BackupDamaged(f"{MANIFEST}: a file is named twice")
    for secret in manifest.secrets:
        if secret.name.removeprefix("secrets/") not in SECRETS:
            raise BackupDamaged(f"{MANIFEST}: {secret.name} is none of the secrets that a backup holds")
    partitions: dict[str, int] = {}
    for topic in manifest.topics:
        if not _TOPIC.fullmatch(topic.name) or topic.name in partitions or not topic.partitions:
            raise BackupDamaged(f"{MANIFEST}: {topic.name!r} is no topic, is named twice, or has no partitions")
        partitions[topic.name] = len(topic.partitions)
        for number, each in enumerate(topic.partitions):
            _check_partition(f"{topic.name}[{number}]", each)
    for at in manifest.offsets:
        if at.partition >= partitions.get(at.topic, 0):
            raise BackupDamaged(f"{MANIFEST}: group {at.group} has an offset in {at.topic}[{at.partition}], which is not in the backup")


def _check_partition(name: str, each: ArchivedPartition) -> None:
    if each.file is None:
        consistent = each.begin <= each.end and each.first is None and each.last is None
    else:
        consistent = each.first is not None and each.last is not None and 0 < each.file.count <= each.last - each.first + 1
        consistent = consistent and each.begin <= (each.first or 0) <= (each.last or 0) < each.end
    if not consistent:
        raise BackupDamaged(f"{MANIFEST}: the offsets of {name} contradict each other")
