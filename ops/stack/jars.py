"""The jars of the embedded broker: pinned by ``ops/jars/jgo.lock.toml``, fetched by jgo, checked against the lock at every start.

They are stored in the user's Maven folder, so a second clone or a second start downloads nothing. ``jgo lock`` in ``ops/jars`` renews the
lock.
"""

import fcntl
import hashlib
import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ConfigurationError

LOCK = Path(__file__).parent.parent / "jars" / "jgo.lock.toml"
DOWNLOADS_AT_ONCE = 8  # enough to hide latency, few enough to be polite to a mirror
ATTEMPTS = 3  # per jar, one second apart: a blip is not a broken installation


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked artifact."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, folder: Path) -> Path:
        """The path of the jar in a Maven folder."""
        return folder.joinpath(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar")

    def is_intact(self, folder: Path) -> bool:
        """Whether the file exists with the locked checksum."""
        try:
            with self.path(folder).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


def maven_folder(environ: Mapping[str, str]) -> Path:
    """The user's Maven folder: ``M2_REPO`` or ``~/.m2/repository``."""
    return Path(environ.get("M2_REPO") or Path.home() / ".m2" / "repository")


def read_lock() -> tuple[Jar, ...]:
    """Every jar of the class path, in the lock's order."""
    with LOCK.open("rb") as file:
        rows = tomllib.load(file)["dependencies"]
    return tuple(Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows)


def kafka_version() -> str:
    """The locked version of the broker."""
    return next(jar.version for jar in read_lock() if jar.artifact.startswith("kafka_"))


def any_absent(folder: Path) -> bool:
    """Whether a start would have to download a jar; checks only names."""
    return not all(jar.path(folder).exists() for jar in read_lock())


def missing(folder: Path) -> tuple[Jar, ...]:
    """Jars that are absent or differ from the lock; about 50 ms for all 46 files."""
    return tuple(jar for jar in read_lock() if not jar.is_intact(folder))


def class_path(folder: Path) -> tuple[Path, ...]:
    """Paths of all jars, fetched first where needed; raises ConfigurationError when one cannot be had. Blocks."""
    if missing(folder):
        _fetch_missing(folder)
    return tuple(jar.path(folder) for jar in read_lock())


def _fetch_missing(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        guard = (folder / ".claw.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder} for Kafka's jars: {error.strerror}; set M2_REPO to a writable folder") from error
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two first starts at once must not write the same file
        absent = missing(folder)  # the other start may have fetched them meanwhile
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            failures = [failure for failure in pool.map(lambda jar: _fetch(jar, folder), absent) if failure]
    if failures:
        raise ConfigurationError(_explain(failures))


def _fetch(jar: Jar, folder: Path) -> str:
    """Download one jar through jgo; returns the reason of a failure, or nothing."""
    import requests  # noqa: PLC0415 - these three take 0.3 s and are needed once per machine
    from jgo.config import GlobalSettings  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    mirrors = GlobalSettings.load().repositories  # [repositories] of ~/.config/jgo.conf, for machines behind a mirror
    artifact = (
        MavenContext(repo_cache=folder, remote_repos=mirrors or None).project(jar.group, jar.artifact).at_version(jar.version).artifact()
    )
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(1)
        jar.path(folder).unlink(missing_ok=True)  # the partial file of a killed download would be taken for the jar
        try:
            artifact.resolve()
        except (requests.RequestException, RuntimeError, OSError) as error:
            why = f"{type(error).__name__}"
            continue
        if jar.is_intact(folder):
            return ""
        why = "its checksum is not the locked one"
    return f"{jar.artifact}-{jar.version}.jar ({why})"


def _explain(failures: Sequence[str]) -> str:
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return (
        f"cannot fetch {failures[0]}{more} for the embedded Kafka: check the network or name a mirror under [repositories] in "
        f"~/.config/jgo.conf; or use a broker of your own with CLAW_KAFKA_BOOTSTRAP"
    )
