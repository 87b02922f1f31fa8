"""An advisory database in the Open Source Vulnerability format, given as a file: a zip archive or a folder of JSON files.

Such archives are published per ecosystem. The format: https://ossf.github.io/osv-schema/.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ops.supply_chain.components import LockedComponent
from schemas.errors import ConfigurationError

ADVISORY_BYTES_MAX = 16 * 1024 * 1024
ZERO = "0"  # in the format: before every version
_PART = re.compile(r"[0-9]+|[a-z]+")


class RangeEvent(Struct, frozen=True):
    """A version at which a range begins or ends."""

    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""


class Range(Struct, frozen=True):
    """Versions between events."""

    type: str
    events: tuple[RangeEvent, ...] = ()


class AffectedPackage(Struct, frozen=True):
    """The package an advisory is about."""

    ecosystem: str = ""
    name: str = ""


class Affected(Struct, frozen=True):
    """Affected versions of one package: listed ones, and ranges."""

    package: AffectedPackage = AffectedPackage()
    versions: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()


class Advisory(Struct, frozen=True):
    """One advisory; ``withdrawn`` is the time at which it was."""

    id: str
    summary: str = ""
    aliases: tuple[str, ...] = ()
    withdrawn: str = ""
    affected: tuple[Affected, ...] = ()


class Match(Struct, frozen=True, order=True):
    """A component that an advisory is about. ``fixed``: the first versions without it."""

    component: str
    version: str
    advisory: str
    fixed: tuple[str, ...]
    summary: str


def read_advisories(path: Path) -> Iterator[Advisory]:
    """Every advisory below ``path``. Raises ConfigurationError when there is none, or one cannot be read."""
    count = 0
    for name, data in _read_files(path):
        try:
            advisory = msgspec.json.decode(data, type=Advisory)
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"CLAW_AUDIT_DB: {name} is no advisory in the OSV format: {error}") from error
        count += 1
        yield advisory
    if not count:
        raise ConfigurationError(f"CLAW_AUDIT_DB: {path} has no advisories: a zip archive or a folder of JSON files in the OSV format")


def _read_files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield str(file), file.read_bytes()
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".json"):
                    if entry.file_size > ADVISORY_BYTES_MAX:
                        raise ConfigurationError(f"CLAW_AUDIT_DB: {entry.filename} has more than {ADVISORY_BYTES_MAX:,} bytes")
                    yield entry.filename, archive.read(entry)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"CLAW_AUDIT_DB: {path} cannot be read: {error}") from error


def find_matches(components: Iterable[LockedComponent], advisories: Iterable[Advisory]) -> list[Match]:
    """The components that advisories are about, sorted; withdrawn advisories count for nothing."""
    by_name: dict[tuple[str, str], LockedComponent] = {
        (each.ecosystem, _plain_name(each.ecosystem, each.name)): each for each in components
    }
    matches = set()
    for advisory in advisories:
        for affected in advisory.affected if not advisory.withdrawn else ():
            ecosystem = affected.package.ecosystem
            component = by_name.get((ecosystem, _plain_name(ecosystem, affected.package.name)))
            if component is not None and is_affected(component, affected):
                fixed = tuple(event.fixed for each in affected.ranges for event in each.events if event.fixed)
                matches.add(Match(component.name, component.version, advisory.id, fixed, advisory.summary))
    return sorted(matches)


def is_affected(component: LockedComponent, affected: Affected) -> bool:
    """Whether the version is listed, or lies in a range."""
    if component.version in affected.versions:
        return True
    order = _order_pypi if component.ecosystem == "PyPI" else _order_maven
    here = order(component.version)
    return any(_covers(each, here, order) for each in affected.ranges if each.type in ("ECOSYSTEM", "SEMVER"))


def _covers(versions: Range, here: object, order: object) -> bool:
    """The state after the last event at or before this version."""
    assert callable(order)
    points = []
    for event in versions.events:
        if event.introduced:
            points.append((order(event.introduced), 0, True))
        if event.fixed:
            points.append((order(event.fixed), 0, False))
        if event.last_affected:
            points.append((order(event.last_affected), 1, False))  # the version itself is still affected
    inside = False
    for point, after, begins in sorted(points, key=lambda point: point[:2]):
        if (point, after) <= (here, 0):
            inside = begins
    return inside


def _order_pypi(version: str) -> Version:
    try:
        return Version("0.dev0" if version == ZERO else version)
    except InvalidVersion:
        return Version("0.dev0")


def _order_maven(version: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers by value, words (alpha, rc, snapshot) before the release; enough for the jars here, which have numbers."""
    parts = [(1, int(part), "") if part.isdigit() else (-1, 0, part) for part in _PART.findall(version.lower())]
    while parts and parts[-1] == (1, 0, ""):
        parts.pop()
    return (*parts, (0, 0, ""))


def _plain_name(ecosystem: str, name: str) -> str:
    return canonicalize_name(name) if ecosystem == "PyPI" else name
