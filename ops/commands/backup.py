"""``claw backup``: a consistent copy of everything that is the system of record, made while the installation serves; and its check."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from adapters.blobs import BlobStore
from domain.documents.topics import DOCUMENTS_SUBMITTED, DOCUMENTS_VERSIONS
from ops.backup.archive import Archive, ArchiveWriter, create_archive, open_archive
from ops.backup.blob_copy import NamedBlobs, copy_blobs
from ops.backup.log_copy import copy_log
from ops.backup.manifest import FORMAT, SECRETS, ArchivedFile, Manifest
from ops.backup.verify import verify
from ops.stack.environment import SECRET_VARIABLE
from schemas.settings import Settings

SECRET_BYTES_MAX = 65_536
LOST_WITHOUT_SECRETS = (
    "access tokens, API keys that were created with an Idempotency-Key, links in mails, and passwords of files that wait to be parsed"
)


async def create(settings: Settings, path: Path, *, environ: Mapping[str, str], with_secrets: bool, as_json: bool) -> int:
    """Write a backup to ``path``. Raises ConfigurationError, Unavailable; nothing is left then."""
    report = quiet if as_json else progress
    with create_archive(path) as archive, closing(NamedBlobs()) as named:
        each_entry = {DOCUMENTS_SUBMITTED.name: named.add, DOCUMENTS_VERSIONS.name: named.add_kept}
        copy = await copy_log(settings.kafka, archive, each_entry, report)
        blobs = BlobStore(settings)
        await blobs.start()
        try:
            copied = await copy_blobs(blobs, archive, named)
        finally:
            await blobs.stop()
        report(f"{sum(each.count for each in copied.volumes):,} files of documents, {copied.bytes:,} bytes")
        manifest = Manifest(
            format=FORMAT,
            claw_version=version("claw"),
            created_at=datetime.now(UTC),
            topic_prefix=settings.kafka.topic_prefix,
            topics=tuple(copy.topics),
            offsets=copy.offsets,
            blobs=tuple(copied.volumes),
            blob_bytes=copied.bytes,
            missing=tuple(copied.missing),
            missing_total=copied.missing_total,
            unreadable=tuple(copy.unreadable),
            secrets=tuple(_copy_secrets(settings, archive)) if with_secrets else (),
        )
        archive.finish(manifest)
    _print_summary(path, manifest, as_json=as_json)
    _warn(manifest, environ, with_secrets=with_secrets)
    return 0


def check(path: Path, *, as_json: bool) -> int:
    """Verify a backup, and print what is in it. Raises BackupDamaged, ConfigurationError."""
    with open_archive(path) as archive:
        verify(archive, quiet if as_json else progress)
        if not as_json:
            for topic in archive.manifest.topics:
                print(f"{topic.name}: {topic.records:,} records, {len(topic.partitions)} partitions")
        _print_summary(path, archive.manifest, as_json=as_json)
        _warn_missing(archive.manifest)
    return 0


def summary(path: Path, manifest: Manifest) -> dict[str, Any]:
    """What is in a backup, in numbers."""
    return {
        "path": str(path),
        "created_at": manifest.created_at,
        "claw_version": manifest.claw_version,
        "topics": len(manifest.topics),
        "records": manifest.records,
        "files": manifest.blob_count,
        "file_bytes": manifest.blob_bytes,
        "files_missing": manifest.missing_total,
        "unreadable": len(manifest.unreadable),
        "bytes": sum(file.bytes for file in manifest.files()),
        "secrets": [file.name.removeprefix("secrets/") for file in manifest.secrets],
    }


def secrets_of(archive: Archive) -> dict[str, bytes]:
    """The secrets in a backup, by the names of their files in CLAW_HOME."""
    return {file.name.removeprefix("secrets/"): archive.read(file, SECRET_BYTES_MAX) for file in archive.manifest.secrets}


def _copy_secrets(settings: Settings, archive: ArchiveWriter) -> Iterator[ArchivedFile]:
    for name in SECRETS:
        path = settings.node.home / name
        if path.is_file():
            with archive.file(f"secrets/{name}") as file:
                file.write(path.read_bytes())
            yield file.describe(f"secrets/{name}")


def _warn(manifest: Manifest, environ: Mapping[str, str], *, with_secrets: bool) -> None:
    if with_secrets:
        names = ", ".join(file.name.removeprefix("secrets/") for file in manifest.secrets)
        print(f"THE BACKUP CONTAINS SECRETS ({names or 'none was found'}): whoever reads it can sign access tokens", file=sys.stderr)
    else:
        print(f"without the signing secret (--with-secrets) a restore ends {LOST_WITHOUT_SECRETS}", file=sys.stderr)
    if SECRET_VARIABLE in environ:
        print(f"{SECRET_VARIABLE} is set, so the signing secret is not in CLAW_HOME: keep it yourself", file=sys.stderr)
    _warn_missing(manifest)


def _warn_missing(manifest: Manifest) -> None:
    for path in manifest.missing:
        print(f"missing: {path}, the file of a document, is not in the blob store", file=sys.stderr)
    if manifest.missing_total > len(manifest.missing):
        print(f"missing: {manifest.missing_total - len(manifest.missing):,} more files", file=sys.stderr)
    for text in manifest.unreadable:
        print(f"unreadable: {text}", file=sys.stderr)


def _print_summary(path: Path, manifest: Manifest, *, as_json: bool) -> None:
    counts = summary(path, manifest)
    if as_json:
        print(msgspec.json.encode(counts).decode())
    else:
        print(
            f"{path}: {counts['topics']} topics, {counts['records']:,} records, {counts['files']:,} files of documents,"
            f" {counts['bytes']:,} bytes, of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, Claw {manifest.claw_version}"
        )


def progress(text: str) -> None:
    """Print a line for people who wait."""
    print(text, file=sys.stderr, flush=True)


def quiet(_text: str) -> None:
    """Nothing is printed beside the result."""
