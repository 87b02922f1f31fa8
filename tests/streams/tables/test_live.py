"""A live value: what a topic map has for one key, the default without it, the one before when it cannot be used."""

import msgspec
import pytest

from domain.configs.topics import CONFIGS_CHANGED
from schemas.settings import KafkaSettings
from streams.live import Live
from streams.tables.live import follow
from streams.tables.topic_map import TopicMap


def parse(value: str) -> int:
    return int(value)


@pytest.fixture
def values() -> TopicMap[str]:
    """A map that reads nothing by itself."""
    return TopicMap(KafkaSettings(), CONFIGS_CHANGED, lambda record: record.decode())


def test_a_live_value_calls_its_subscribers_at_changes() -> None:
    """Not for the value that is there already, and not after the end of a subscription."""
    live, seen, other = Live(1), list[int](), list[int]()
    end = live.subscribe(seen.append)
    live.subscribe(other.append)
    for value in (1, 2, 2, 3):
        live.replace(value)
    end()
    live.replace(4)
    assert (live.value, seen, other) == (4, [2, 3], [2, 3, 4])


def test_a_live_value_follows_its_key(values: TopicMap[str]) -> None:
    """Other keys that begin like it do not matter; a key that is gone is the default again."""
    live = follow(values, "limit", 10, parse)
    assert live.value == 10
    values.fold(1, b"limit", b"11")
    values.fold(2, b"limits", b"12")
    assert live.value == 11
    values.fold(3, b"limit", None)
    assert live.value == 10


def test_a_value_that_cannot_be_used_changes_nothing(values: TopicMap[str]) -> None:
    """Neither what ``parse`` refuses nor what has the wrong type."""
    seen: list[tuple[str | None, bool]] = []
    live = follow(values, "limit", 10, parse, lambda value, problem: seen.append((value, bool(problem))))
    number = follow(values, "limit", 20, lambda value: msgspec.convert(value, int))
    values.fold(1, b"limit", b"11")
    values.fold(2, b"limit", b"eleven")
    values.fold(3, b"limit", b"\xff")
    assert (live.value, number.value) == (11, 20)
    assert seen == [("11", False), ("eleven", True)]  # what is no record at all is nobody's value
