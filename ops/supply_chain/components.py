"""The locked components: Python packages of ``uv.lock`` and the jars of the embedded Kafka."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.stack import jars

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "uv.lock"
Ecosystem = Literal["PyPI", "Maven"]  # as the Open Source Vulnerability format has them


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
        kind, name = ("maven", self.name.replace(":", "/")) if self.ecosystem == "Maven" else ("pypi", self.name)
        return f"pkg:{kind}/{name}@{self.version}"


def read_packages(lock: Path = LOCK) -> tuple[LockedComponent, ...]:
    """Every package from a registry that the lock names, for any platform, those of tests included."""
    with lock.open("rb") as file:
        rows = tomllib.load(file)["package"]
    return tuple(sorted(LockedComponent("PyPI", row["name"], row["version"]) for row in rows if "registry" in row["source"]))


def read_jars() -> tuple[LockedComponent, ...]:
    """Every jar of the embedded broker's class path."""
    return tuple(sorted(LockedComponent("Maven", f"{jar.group}:{jar.artifact}", jar.version, jar.sha256) for jar in jars.read_lock()))
