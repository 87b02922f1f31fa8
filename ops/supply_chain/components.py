"""The locked components: Python packages of ``uv.lock``, the jars of the embedded Kafka, and what the pages carry of npm packages."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ops.stack import jars

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "uv.lock"
VENDORED = ROOT / "api" / "web" / "packages.json"
Ecosystem = Literal["PyPI", "Maven", "npm"]  # as the Open Source Vulnerability format has them


@dataclass(frozen=True, slots=True, order=True)
class LockedComponent:
    """One locked component. ``name`` is ``group:artifact`` of a jar; ``sha256`` of a jar, "" of a package, whose files the lock has."""

    ecosystem: Ecosystem
    name: str
    version: str
    sha256: str = ""

    @property
    def purl(self) -> str:
        """Its package URL."""
        name = self.name.replace(":", "/") if self.ecosystem == "Maven" else self.name.replace("@", "%40")
        return f"pkg:{self.ecosystem.lower()}/{name}@{self.version}"


def read_packages(lock: Path = LOCK) -> tuple[LockedComponent, ...]:
    """Every package from a registry that the lock names, for any platform, those of tests included."""
    with lock.open("rb") as file:
        rows = tomllib.load(file)["package"]
    return tuple(sorted(LockedComponent("PyPI", row["name"], row["version"]) for row in rows if "registry" in row["source"]))


def read_jars() -> tuple[LockedComponent, ...]:
    """Every jar of the embedded broker's class path."""
    return tuple(sorted(LockedComponent("Maven", f"{jar.group}:{jar.artifact}", jar.version, jar.sha256) for jar in jars.read_lock()))


def read_vendored() -> tuple[LockedComponent, ...]:
    """Every npm package of which the pages carry files."""
    return tuple(sorted(LockedComponent("npm", row["name"], row["version"]) for row in vendored_rows()))


def vendored_rows() -> list[dict[str, Any]]:
    """The vendored packages as ``packages.json`` has them: name, version, licence, purpose (``for``) and files."""
    return list(json.loads(VENDORED.read_text(encoding="utf-8"))["packages"])
