"""Every area, and what is collected from them: topics, records, rebuilds, errors, keys of live configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.accounts.area import AREA as ACCOUNTS
from domain.area import Area
from domain.audit.area import AREA as AUDIT
from domain.chats.area import AREA as CHATS
from domain.config_keys import ConfigKey, ConfigRule
from domain.configs.area import AREA as CONFIGS
from domain.documents.area import AREA as DOCUMENTS
from domain.documents.topics import inbox_topic
from domain.erasures.area import AREA as ERASURES
from domain.indexes.area import AREA as INDEXES
from domain.jobs.area import AREA as JOBS
from domain.knowledge.area import AREA as KNOWLEDGE
from domain.limits.area import AREA as LIMITS
from domain.notices.area import AREA as NOTICES
from domain.retrieval.area import AREA as RETRIEVAL
from domain.schedules.area import AREA as SCHEDULES
from domain.statistics.area import AREA as STATISTICS
from domain.tasks.area import AREA as TASKS
from domain.usage.area import AREA as USAGE
from domain.widgets.area import AREA as WIDGETS
from schemas.errors import Code
from streams.tables.projection import Record
from streams.tables.rebuild import Rebuild, rebuild_records
from streams.topics import DEAD_LETTERS, Topic

AREAS: tuple[Area, ...] = (
    DOCUMENTS,
    CHATS,
    RETRIEVAL,
    KNOWLEDGE,
    INDEXES,
    CONFIGS,
    ACCOUNTS,
    USAGE,
    LIMITS,
    AUDIT,
    NOTICES,
    SCHEDULES,
    JOBS,
    TASKS,
    STATISTICS,
    ERASURES,
    WIDGETS,
)

TOPICS: tuple[Topic, ...] = (*(topic for area in AREAS for topic in area.topics), DEAD_LETTERS)
RECORDS: tuple[Record[Any, Any], ...] = tuple(record for area in AREAS for record in area.records)

ERRORS: Mapping[str, Code] = {code: line for area in AREAS for code, line in area.errors.items()}

CONFIG_KEYS: tuple[ConfigKey, ...] = tuple(sorted((key for area in AREAS for key in area.configs), key=lambda key: key.name))
CONFIG_RULES: tuple[ConfigRule, ...] = tuple(rule for area in AREAS for rule in area.config_rules)


def all_topics(inbox_tenants: tuple[str, ...]) -> tuple[Topic, ...]:
    """The fixed topics and one inbox per tenant."""
    return TOPICS + tuple(inbox_topic(tenant) for tenant in inbox_tenants)


def rebuilds() -> Mapping[str, Rebuild]:
    """The rebuilds of ``claw rebuild tables``, by name: the first record table of each topic, and those that the areas declare."""
    return dict(_rebuilds())


def _rebuilds() -> Iterator[tuple[str, Rebuild]]:
    for area in AREAS:
        first = {record.topic: record for record in reversed(area.records)}
        for record in area.records:
            if first[record.topic] is record and record.table not in area.rebuilds:
                yield record.table, rebuild_records(record.topic)
        yield from area.rebuilds.items()
