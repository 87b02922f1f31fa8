"""``claw rebuild tables``: rebuilds the tables in Redis from the log while the installation serves.

State that exists only in Redis is not restored; docs/operations.md describes the effects of its loss.
"""

from collections.abc import Callable, Sequence

from domain.areas import rebuilds
from domain.configs.table_epoch import LoggedEpoch
from domain.table_rebuild import rebuild_all, rebuild_tables
from ops.commands.connections import open_connections
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.tables.rebuild import RebuildResult


async def run(settings: Settings, names: Sequence[str]) -> int:
    """Rebuild these tables, or all when none is named, and print the result of each. Raises ConfigurationError for an unknown one.

    Tables that Redis has lost count as whole again once all are rebuilt.
    """
    tables = rebuilds()
    unknown = sorted(set(names) - tables.keys())
    if unknown:
        raise ConfigurationError(f"--table: there is no table {', '.join(unknown)}: the tables are {', '.join(tables)}")
    if names:
        async with open_connections(settings, lost_too=True) as (redis, _):
            await rebuild_tables(settings, redis, names, lambda *result: _print(_describe(*result)))
    else:
        await rebuild(settings, _print)
    return 0


async def rebuild(settings: Settings, report: Callable[[str], None]) -> None:
    """Rebuild all tables, and report each. Raises Unavailable."""
    async with open_connections(settings, lost_too=True) as (redis, publisher):
        recorded = LoggedEpoch(settings, publisher, SystemClock())
        await rebuild_all(settings, redis, recorded, lambda *result: report(_describe(*result)))


def _print(text: str) -> None:
    print(text, flush=True)


def _describe(name: str, done: RebuildResult, seconds: float) -> str:
    skipped = f", {done.unreadable} unreadable" if done.unreadable else ""
    erased = f", {done.erased} of deleted conversations erased from the log" if done.erased else ""
    return f"{name}: {done.events} events{skipped}{erased}, {seconds:.1f} s"
