"""``make audit``: the locked versions against advisories.

With ``CLAW_AUDIT_DB`` against a database given as a file: packages, jars and vendored npm packages. Without it by ``uv audit``, which asks
a public service about the packages. Exit codes: 0 nothing found, 1 advisories found, 2 the database is unusable, 3 nothing was compared.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.supply_chain import advisories
from ops.supply_chain.components import ROOT, LockedComponent, read_jars, read_packages, read_vendored
from schemas.errors import ConfigurationError

VARIABLE = "CLAW_AUDIT_DB"
CLEAN, FOUND, UNUSABLE, NOTHING_COMPARED = 0, 1, 2, 3
SERVICE_S = 120.0


def run(environ: Mapping[str, str], uv: Sequence[str]) -> int:
    """Print what was compared and what was found; returns the exit code."""
    components = (*read_packages(), *read_jars(), *read_vendored())
    if path := environ.get(VARIABLE):
        try:
            database = list(advisories.read_advisories(Path(path)))
        except ConfigurationError as error:
            print(f"audit: {error.detail}", file=sys.stderr)
            return UNUSABLE
        return report(components, database)
    return _ask_service(uv, len(read_packages()))


def report(components: Sequence[LockedComponent], database: Sequence[advisories.Advisory]) -> int:
    """Compare, and print."""
    matches = advisories.find_matches(components, database)
    for match in matches:
        fixed = f"fixed in {', '.join(match.fixed)}" if match.fixed else "no fixed version is named"
        print(f"{match.component} {match.version}: {match.advisory}, {fixed}. {match.summary}")
    covered = {affected.package.ecosystem for advisory in database for affected in advisory.affected}
    for ecosystem in sorted({each.ecosystem for each in components} - covered):
        print(f"the database has no advisory of {ecosystem}: those components were not compared")
    compared = [each for each in components if each.ecosystem in covered]
    if not compared:
        print("NOTHING WAS COMPARED", file=sys.stderr)
        return NOTHING_COMPARED
    print(f"{len(compared)} of {len(components)} components compared with {len(database):,} advisories: {len(matches)} found")
    return FOUND if matches else CLEAN


def _ask_service(uv: Sequence[str], packages: int) -> int:
    try:
        done = subprocess.run([*uv, "audit", "--frozen"], cwd=ROOT, timeout=SERVICE_S, check=False)  # noqa: S603 - our own tool
        code = done.returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"audit: {error}", file=sys.stderr)
        code = UNUSABLE
    if code not in (CLEAN, FOUND):
        print(
            f"NOTHING WAS COMPARED: the advisory service cannot be reached. Give a database as a file: {VARIABLE}=path of a zip archive or "
            "a folder of JSON files in the OSV format",
            file=sys.stderr,
        )
        return NOTHING_COMPARED
    print(f"{packages} packages were compared; the jars of Kafka and the vendored npm packages were not: that needs {VARIABLE}")
    return code


if __name__ == "__main__":
    sys.exit(run(os.environ, sys.argv[1:] or ["uv"]))
