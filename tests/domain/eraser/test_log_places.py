"""The inventory is complete: no topic, record table or family of Redis keys without an entry, and none that does not exist."""

import re
from pathlib import Path

import pytest

from domain.areas import RECORDS, TOPICS
from domain.eraser.log_places import BY_TOPIC, LOG_PLACES
from domain.eraser.redis_places import BY_FAMILY, REDIS_PLACES, parse_key

ROOT = Path(__file__).parents[3]
PACKAGES = ("adapters", "streams", "domain", "agents", "api")
KEY = re.compile(r"prefix\}:([a-z_-]+|\{\{[a-z]+\}\})[:\"{]")
TIMERS = re.compile(r"Timers\(\w*(?:self\._)?redis, (?:self\._)?prefix, f?\"([a-z-]+)[:\"]")
BY_VARIABLE = {  # families whose name is an argument where their keys are made
    "task": "domain/tasks/table.py",
    "task-index": "domain/tasks/table.py",
    "task-changes": "domain/tasks/table.py",
    "task-sequence": "domain/tasks/table.py",
    "rebuild": "domain/indexes/reindex_reports.py",
    "rebuild-lease": "domain/indexes/reindex_reports.py",
    "open": "domain/documents/open_documents.py",
    "erasures": "domain/erasures/timing.py",
    "idempotency": "api/http/idempotency.py",
}
NO_KEYS = {"cancels": "a channel of publish and subscribe"}


def families() -> set[str]:
    """Every family that a module makes keys of."""
    found = set(BY_VARIABLE)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found |= {name.replace("{{", "{").replace("}}", "}") for name in KEY.findall(text)}
            found |= set(TIMERS.findall(text))
    return found - NO_KEYS.keys()


def test_every_topic_has_an_entry() -> None:
    """A new topic says what it has of a person, and how that goes."""
    assert {topic.name for topic in TOPICS} == set(BY_TOPIC)
    assert len(LOG_PLACES) == len(BY_TOPIC)


def test_every_family_of_redis_keys_has_an_entry() -> None:
    """So does a new table."""
    assert families() == set(BY_FAMILY)
    assert len(REDIS_PLACES) == len(BY_FAMILY)


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_families_with_a_name_that_is_an_argument_are_where_they_are_said_to_be(name: str) -> None:
    text = (ROOT / BY_VARIABLE[name]).read_text(encoding="utf-8")
    assert any(written in text for written in (f'"{name}"', f"'{name}'", f":{name}:"))


@pytest.mark.parametrize("place", LOG_PLACES, ids=lambda place: place.topic.name)
def test_what_an_entry_says_can_be(place) -> None:
    """Tombstones are for compacted topics, expiry for those with a retention; what stays has a reason."""
    if place.means == "removed":
        assert place.topic.is_compacted
    if place.means == "expires":
        assert place.topic.retention_ms is not None
    if place.means == "kept":
        assert place.keeps
    assert place.holds.endswith(".")


def test_a_record_table_is_known_by_its_key() -> None:
    for record in RECORDS:
        key = parse_key(f"claw:record:{{{record.table}:a/b}}:c", "claw")
        assert (key.family, {record.table, "a", "b", "c"} <= key.parts) == ("record", True)


def test_what_is_removed_has_tombstones() -> None:
    """Whoever reads the catalogue of topics expects records without a value."""
    assert [place.topic.name for place in LOG_PLACES if place.means == "removed" and not place.topic.tombstones] == []
