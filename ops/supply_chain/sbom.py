"""``make sbom``: the bill of materials in CycloneDX JSON, from the lock files; ``uv export`` writes the packages, the jars are added."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from ops.supply_chain.components import ROOT, LockedComponent, read_jars

EXPORT = ("export", "--frozen", "--quiet", "--all-extras", "--no-dev", "--format", "cyclonedx1.5", "--preview-features", "sbom-export")


def run(uv: Sequence[str]) -> int:
    """Print the document."""
    exported = subprocess.run([*uv, *EXPORT], cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - our own tool
    document = add_jars(msgspec.json.decode(exported.stdout), read_jars())
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return 0


def add_jars(document: dict[str, Any], jars: Sequence[LockedComponent]) -> dict[str, Any]:
    """The document with the jars of the embedded Kafka, each with the hash that it is checked against."""
    return {**document, "components": [*document["components"], *map(_describe, jars)]}


def _describe(jar: LockedComponent) -> dict[str, Any]:
    group, _, artifact = jar.name.partition(":")
    return {
        "type": "library",
        "bom-ref": jar.purl,
        "group": group,
        "name": artifact,
        "version": jar.version,
        "purl": jar.purl,
        "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
    }


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:] or ["uv"]))
