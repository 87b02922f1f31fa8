"""``claw restore``: puts a backup into an installation that was never started. Everything must be stopped."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from adapters.blobs import BlobStore
from adapters.redis.client import connect
from domain.documents.topics import DOCUMENTS_SUBMITTED
from ops.backup import log_restore
from ops.backup.archive import Archive, open_archive
from ops.backup.blob_copy import restore_blobs
from ops.backup.frames import LogEntry
from ops.backup.log_copy import Report
from ops.backup.servers import are_embedded, servers
from ops.backup.verify import verify
from ops.commands import rebuild_tables, reindex
from ops.commands.backup import progress, quiet, secrets_of, summary
from ops.commands.topics import catalogue
from ops.stack.credentials import create_private, make_private_folder
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.tables.epoch import StoredEpoch

KEY_PARTS = 3  # tenant/kb/document


async def run(settings: Settings, path: Path, *, environ: Mapping[str, str], dry_run: bool, as_json: bool) -> int:
    """Verify the backup, then restore it. Raises BackupDamaged and ConfigurationError with nothing changed, Unavailable in between: then
    the same command begins anew.
    """
    report, began = quiet if as_json else progress, time.monotonic()
    with open_archive(path) as archive:
        verify(archive, report)
        _refuse_other_secrets(settings, archive)
        if dry_run:
            await _check(settings, archive, environ)
        else:
            bases = await _restore(settings, archive, environ, report)
        counts = summary(path, archive.manifest)
    counts["seconds"] = round(time.monotonic() - began, 1)
    if as_json:
        print(msgspec.json.encode(counts | {"dry_run": dry_run}).decode())
    elif dry_run:
        print(f"{path}: {_describe(counts)} can be restored; nothing was changed")
    else:
        print(
            f"restored {_describe(counts)} in {counts['seconds']} s; start the installation: its workers index {bases} knowledge bases, and"
            " `claw rebuild status` shows how far they are"
        )
    if "secret" not in counts["secrets"]:
        print("the backup has no signing secret: set the one of the old installation, or all access tokens end", file=sys.stderr)
    return 0


def _describe(counts: dict[str, Any]) -> str:
    return f"{counts['topics']} topics, {counts['records']:,} records, {counts['files']:,} files of documents"


async def _check(settings: Settings, archive: Archive, environ: Mapping[str, str]) -> None:
    if are_embedded(settings) and not (settings.node.home / "kafka").exists():
        return  # a home folder that has no log yet
    async with servers(settings, environ) as found:
        await _refuse_used(found, archive)


async def _refuse_used(settings: Settings, archive: Archive) -> None:
    began_before = await log_restore.refuse_used(settings.kafka, archive.manifest)
    redis = connect(settings.redis)
    try:
        if await StoredEpoch(redis, settings.redis.key_prefix).read() and not began_before:
            raise ConfigurationError(
                f"Redis has tables of an installation under the prefix {settings.redis.key_prefix!r}: empty it, or set another"
                " CLAW_REDIS_KEY_PREFIX"
            )
    finally:
        await redis.aclose()


async def _restore(settings: Settings, archive: Archive, environ: Mapping[str, str], report: Report) -> int:
    """Returns the number of knowledge bases to index."""
    _restore_secrets(settings, archive)
    knowledge_bases: set[tuple[str, str]] = set()

    def note_base(entry: LogEntry) -> None:
        parts = (entry.key or b"").decode(errors="replace").split("/", KEY_PARTS - 1)
        if len(parts) == KEY_PARTS:
            knowledge_bases.add((parts[0], parts[1]))

    async with servers(settings, environ) as found:
        await _refuse_used(found, archive)
        kafka, topics = found.kafka, catalogue(found)
        await log_restore.create_topics(kafka, archive.manifest, topics)
        blobs = BlobStore(found)
        await blobs.start()
        try:
            await restore_blobs(blobs, archive)
        finally:
            await blobs.stop()
        report(f"{archive.manifest.blob_count:,} files of documents")
        await log_restore.write_topics(kafka, archive, {DOCUMENTS_SUBMITTED.name: note_base}, report)
        await log_restore.finish_topics(kafka, archive.manifest, topics)
        report("tables")
        await rebuild_tables.rebuild(found, report)
        report("indexes")
        count = await reindex.rebuild_lost(found, sorted(knowledge_bases))
        await log_restore.mark_finished(kafka)
    return count


def _refuse_other_secrets(settings: Settings, archive: Archive) -> None:
    for name, content in secrets_of(archive).items():
        path = settings.node.home / name
        if path.exists() and path.read_bytes() != content:
            raise ConfigurationError(f"{path} is not the one of the backup: delete it, and the one of the backup is written")


def _restore_secrets(settings: Settings, archive: Archive) -> None:
    for name, content in secrets_of(archive).items():
        make_private_folder(settings.node.home)
        if not (settings.node.home / name).exists():
            create_private(settings.node.home / name, content.decode())
