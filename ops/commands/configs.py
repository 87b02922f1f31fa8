"""`claw config`: live configuration from the command line, by the rules of the API."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from api.configs.views import diff_view, import_change_view, key_view, revision_view
from domain.areas import CONFIG_RULES
from domain.config_keys import ConfigKey
from domain.configs.configs import ConfigWriter
from domain.configs.editor import ConfigEditor, PlannedChange, describe_processes
from domain.configs.records import CONFIG_HISTORY
from domain.configs.reports import ProcessReports, find_pinning
from domain.configuration import follow_settings
from domain.read_models import ReadModels
from ops.commands.connections import open_connections
from ops.commands.operator_records import audit_event
from ops.processes import logs
from ops.stack.environment import with_secret
from schemas import ids
from schemas.bodies.configs import ConfigImport, ConfigSide
from schemas.configs import Config
from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.tables.record_writer import RecordWriter

BY = "command line"
LISTED_MAX = 1_000
STDIN_BYTES_MAX = 16_384
TEXT_KINDS = ("text", "choice", "path")


async def get(settings: Settings, name: str, *, as_json: bool) -> int:
    """Print one key, or with "" all that have a value; sensitive values never."""
    async with open_editor(settings) as (editor, _, _):
        views = [key_view(editor, key) for key in ([editor.find(name)] if name else editor.live.keys.values())]
        if as_json:
            print(msgspec.json.format(msgspec.json.encode(views[0] if name else views)).decode())
            return 0
        reports = await editor.reports.list()
        for view in views:
            pinning = find_pinning(reports, view.key)
            if not name and not pinning and view.layer == "default":
                continue
            layer = f"environment of {describe_processes(pinning)}" if pinning else view.layer
            value = f"set, {view.fingerprint}" if view.sensitive and view.is_set else "not set" if view.sensitive else view.value
            print(f"{view.key} = {value}  ({layer}; revision {view.revision})")
    return 0


async def set_(settings: Settings, name: str, text: str | None, *, reason: str, reset: bool, stdin: bool) -> int:
    """Change a key, or with ``reset`` give it its default again. Values of sensitive keys come from standard input only."""
    if reset + stdin + (text is not None) != 1:
        raise ConfigurationError("give one of VALUE, --stdin and --default")
    async with open_editor(settings) as (editor, _, publisher):
        key = editor.find(name)
        if text is not None and key.is_sensitive:
            raise ConfigurationError(f"{name} is sensitive: write its value to standard input and add --stdin")
        value = None if reset else parse_text(key, text if text is not None else _read_line())
        config = await editor.change(name, value, by=BY, reason=reason)
        await record_change(publisher, "config.reset" if reset else "config.change", config, reason)
        print(f"{name} is at revision {config.revision}")
    return 0


async def history(settings: Settings, name: str) -> int:
    """Print the revisions of a key, newest first."""
    async with open_editor(settings) as (editor, tables, _):
        key = editor.find(name)
        newest = editor.config(key)
        page = await tables.of(CONFIG_HISTORY).list(name, limit=LISTED_MAX)
        for config in page.items:
            if newest is not None and config.revision <= newest.revision:
                view = revision_view(editor, config)
                value = _shown(ConfigSide(revision=view.revision, value=view.value, is_set=view.is_set, fingerprint=view.fingerprint))
                print(f"{view.revision:>5}  {view.changed_at:%Y-%m-%d %H:%M:%S}  {value}  {view.changed_by}  {view.reason}".rstrip())
    return 0


async def diff(settings: Settings, name: str, before: int, after: int | None) -> int:
    """Print two revisions of a key; exit code 1 when they differ."""
    async with open_editor(settings) as (editor, _, _):
        key = editor.find(name)
        last = editor.config(key) if after is None else await editor.revision(key, after)
        view = diff_view(editor, key, await editor.revision(key, before), last)
        print(f"- {view.before.revision}: {_shown(view.before)}\n+ {view.after.revision}: {_shown(view.after)}")
        return 0 if view.is_same else 1


async def rollback(settings: Settings, name: str, revision: int, *, reason: str) -> int:
    """Give a key the value of an earlier revision, as a new one."""
    async with open_editor(settings) as (editor, _, publisher):
        config = await editor.roll_back(name, revision, by=BY, reason=reason)
        await record_change(publisher, "config.rollback", config, reason)
        print(f"{name} is at revision {config.revision}, with the value of revision {revision}")
    return 0


def export(settings: Settings, path: str) -> int:
    """Write what was changed, without sensitive values, as JSON to a file or with "-" to standard output."""
    values, omitted = asyncio.run(_export(settings))
    text = json.dumps({"values": values}, indent=2, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        Path(path).write_text(text, encoding="utf-8")
    if omitted:
        print(f"left out, because they are sensitive: {', '.join(omitted)}", file=sys.stderr)
    return 0


async def _export(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    async with open_editor(settings) as (editor, _, _):
        return editor.export()


def import_(settings: Settings, path: str, *, reason: str, dry_run: bool) -> int:
    """Change every key of a file that ``export`` wrote, or none when one of them is refused."""
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        wanted = msgspec.json.decode(content, type=ConfigImport)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    for view in map(import_change_view, asyncio.run(_import(settings, wanted, reason=reason, dry_run=dry_run))):
        print(f"{view.action:9} {view.key}" + ("" if view.action == "unchanged" else f": {view.before} -> {view.after}"))
    return 0


async def _import(settings: Settings, wanted: ConfigImport, *, reason: str, dry_run: bool) -> list[PlannedChange]:
    async with open_editor(settings) as (editor, _, publisher):
        if dry_run:
            return await editor.plan(wanted.values)
        planned = await editor.import_values(wanted.values, by=BY, reason=reason)
        for each in planned:
            if each.action != "unchanged" and (config := editor.config(each.key)) is not None:
                await record_change(publisher, "config.import", config, reason)
        return planned


async def record_change(publisher: KafkaPublisher, action: str, config: Config, reason: str) -> None:
    """On the installation's audit log, without the value."""
    detail = {"revision": str(config.revision)} | ({"reason": reason} if reason else {})
    await publisher.publish(audit_event(action, ids.INSTALLATION, config.key, SystemClock().now(), **detail))


@asynccontextmanager
async def open_editor(settings: Settings) -> AsyncIterator[tuple[ConfigEditor, ReadModels, KafkaPublisher]]:
    """For the length of one command. The environment of the command pins nothing: that of the running processes does. A refusal names every
    field.
    """
    logs.configure(msgspec.structs.replace(settings.node, log_level="error"), "config")  # what is printed is the result
    settings = msgspec.structs.replace(_with_secret(settings), explicit=frozenset())
    clock, prefix, live = SystemClock(), settings.redis.key_prefix, follow_settings(settings, logs=False)
    async with open_connections(settings) as (redis, publisher):
        tables = ReadModels(redis, prefix)
        records = RecordWriter(redis, prefix, publisher, tables, clock)
        writer = ConfigWriter(live.configs, records, publisher, clock, os.urandom, "ops")
        await live.start()
        try:
            yield ConfigEditor(live, CONFIG_RULES, writer, ProcessReports(redis, prefix), tables), tables, publisher
        except Refused as refusal:
            if not refusal.errors:
                raise
            details = "; ".join(f"{wrong.field}: {wrong.detail}" for wrong in refusal.errors)
            raise Refused(refusal.code, details) from None
        finally:
            await live.stop()


def _with_secret(settings: Settings) -> Settings:
    try:
        return with_secret(settings, os.environ, create=False)
    except ConfigurationError:
        return settings  # sensitive keys are refused, the others need none


def parse_text(key: ConfigKey, text: str) -> Any:
    if key.is_sensitive or key.setting.kind in TEXT_KINDS:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ConfigurationError(f"{key.name}: expected a value of type {key.setting.kind}, got {text!r}") from None


def _shown(side: ConfigSide) -> str:
    if side.fingerprint:
        return f"set, {side.fingerprint}"
    return json.dumps(side.value, ensure_ascii=False) + ("" if side.is_set else " (default)")


def _read_line() -> str:
    try:
        return sys.stdin.buffer.readline(STDIN_BYTES_MAX).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError("--stdin: the first line of standard input is not UTF-8") from None
