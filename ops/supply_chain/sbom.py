"""``make sbom``: the bill of materials in CycloneDX JSON, from the lock files; ``uv export`` writes the packages, the jars and the vendored
npm packages are added.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from ops.supply_chain.components import ROOT, LockedComponent, read_jars, read_vendored

EXPORT = ("export", "--frozen", "--quiet", "--all-extras", "--no-dev", "--format", "cyclonedx1.5", "--preview-features", "sbom-export")


def run(uv: Sequence[str]) -> int:
    """Print the document."""
    exported = subprocess.run([*uv, *EXPORT], cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - our own tool
    document = add_components(msgspec.json.decode(exported.stdout), (*read_jars(), *read_vendored()))
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return 0


def add_components(document: dict[str, Any], components: Sequence[LockedComponent]) -> dict[str, Any]:
    """The document with these components; a jar of the embedded Kafka with the hash that it is checked against."""
    return {**document, "components": [*document["components"], *map(_describe, components)]}


def _describe(component: LockedComponent) -> dict[str, Any]:
    group, _, name = component.name.rpartition(":" if component.ecosystem == "Maven" else "/")
    return {
        "type": "library",
        "bom-ref": component.purl,
        **({"group": group} if group else {}),
        "name": name,
        "version": component.version,
        "purl": component.purl,
        **({"hashes": [{"alg": "SHA-256", "content": component.sha256}]} if component.sha256 else {}),
    }


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:] or ["uv"]))
