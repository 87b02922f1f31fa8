"""What an area of the domain consists of, said once; everything that lists topics, tables or errors is derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Code
from streams.tables.projection import Record
from streams.tables.rebuild import Rebuild
from streams.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area.

    ``records`` are the record tables that follow its topics. ``rebuilds`` restores, by the name ``claw rebuild tables`` gives it, what a
    replay of one topic into its records does not: counters, sums, rows that several topics make. ``unprojected`` says of every compacted
    topic without a record why it has none. ``errors`` are the codes of this area alone; its settings stand in ``domain/sections.py``.
    """

    name: str
    topics: tuple[Topic, ...] = ()
    records: tuple[Record[Any, Any], ...] = ()
    rebuilds: Mapping[str, Rebuild] = field(default_factory=dict)
    unprojected: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Code] = field(default_factory=dict)
