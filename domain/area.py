"""The declaration of an area of the domain; every list of topics, tables or errors is derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.config_keys import ConfigKey, ConfigRule
from schemas.errors import Code
from streams.tables.projection import Record
from streams.tables.rebuild import Rebuild
from streams.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area.

    ``records`` are the record tables that follow its topics. ``rebuilds`` restores, by its name in ``claw rebuild tables``, what a
    replay of one topic into its records does not: counters, sums, rows from several topics. ``unprojected`` has a reason for every
    compacted topic without a record. ``errors`` are the codes of this area alone; its settings stand in ``domain/sections.py``.
    ``configs`` are the settings that can be changed while everything runs, ``config_rules`` what must hold across them.
    """

    name: str
    topics: tuple[Topic, ...] = ()
    records: tuple[Record[Any, Any], ...] = ()
    rebuilds: Mapping[str, Rebuild] = field(default_factory=dict)
    unprojected: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Code] = field(default_factory=dict)
    configs: tuple[ConfigKey, ...] = ()
    config_rules: tuple[ConfigRule, ...] = ()
