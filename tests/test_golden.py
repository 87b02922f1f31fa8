"""Recorded samples of every released event: what was once on a topic must decode for ever.

A changed event never edits its sample: it adds another recording beside it, ``TYPE+what-changed.json``.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.areas import TOPICS
from schemas.events import Event, encode
from schemas.inbox import Inbound, InboxEvent
from streams.topics import Topic, decoder

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = sorted(GOLDEN.glob("claw.*.json"))
EXTENSION = re.compile(r"[a-z0-9]{1,20}\Z")
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
FREE_MAPS = {
    "detail",
    "metadata",
    "versions",
    "timings_ms",
    "value",
    "fields",
    "channels",
    "labels",
    "figures",
    "results",
}  # whose keys are data; value: of a configuration key
CORE = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}


def topics_of(type_name: str) -> list[Topic]:
    return [topic for topic in TOPICS if topic.events is not None and type_name in {event.type_name() for event in topic.types()}]


def released() -> set[str]:
    return {event.type_name() for topic in TOPICS if topic.events is not None for event in topic.types()}


def read(path: Path) -> dict[str, Any]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])


def with_strangers(value: Any) -> Any:
    """The same value with one unknown field in every object that is not a free map."""
    if isinstance(value, dict):
        grown = {name: with_strangers(item) if name not in FREE_MAPS else item for name, item in value.items()}
        return grown | {"x_of_a_later_release": {"nested": [1, "二"]}}
    if isinstance(value, list):
        return [with_strangers(item) for item in value]
    return value


def lost(recorded: Any, now: Any, path: str = "$") -> Iterator[str]:
    """Paths whose recorded value is not what is encoded today; new fields are fine."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name, item in recorded.items():
            yield from lost(item, now.get(name), f"{path}.{name}")
    elif isinstance(recorded, list) and isinstance(now, list) and len(recorded) == len(now):
        for place, (before, after) in enumerate(zip(recorded, now, strict=True)):
            yield from lost(before, after, f"{path}[{place}]")
    elif recorded != now:
        yield f"{path}: {recorded!r} became {now!r}"


def test_every_released_event_has_a_sample() -> None:
    """A new event class comes with its recording, and no recording outlives its class."""
    assert {read(path)["type"] for path in SAMPLES} == released()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestSample:
    def test_is_named_for_its_type(self, path: Path) -> None:
        """The file says which event it is; what follows ``+`` tells later recordings apart."""
        assert path.stem.partition("+")[0] == read(path)["type"]

    def test_decodes_on_every_topic_that_carries_it(self, path: Path) -> None:
        """The topic's own decoder reads it as its class, with typed data."""
        sample = read(path)
        assert topics_of(sample["type"])
        for topic in topics_of(sample["type"]):
            event = decoder(topic).decode(path.read_bytes())
            assert isinstance(event, Event)
            assert event.type_name() == sample["type"]
            assert isinstance(event.data, msgspec.Struct)

    def test_survives_a_round_trip(self, path: Path) -> None:
        """Encoding what was decoded loses no recorded value and decodes to an equal event."""
        for topic in topics_of(read(path)["type"]):
            event = decoder(topic).decode(path.read_bytes())
            written = encode(event)
            assert decoder(topic).decode(written) == event
            assert list(lost(read(path), msgspec.json.decode(written))) == []

    def test_unknown_fields_are_ignored(self, path: Path) -> None:
        """An event of a later release, with more fields at every level, reads as this release knows it."""
        grown = msgspec.json.encode(with_strangers(read(path)))
        for topic in topics_of(read(path)["type"]):
            assert decoder(topic).decode(grown) == decoder(topic).decode(path.read_bytes())

    def test_is_a_cloudevent(self, path: Path) -> None:
        """CloudEvents 1.0, structured JSON: required attributes, simple extensions with legal names, data present."""
        sample = read(path)
        assert sample["specversion"] == "1.0"
        assert all(isinstance(sample[name], str) and sample[name] for name in ("id", "source", "type", "subject"))
        assert sample["datacontenttype"] == "application/json"
        assert isinstance(sample["data"], dict)
        assert "data_base64" not in sample
        for name in sample.keys() - CORE:
            assert EXTENSION.match(name), f"{name} is not a legal extension name"
            assert isinstance(sample[name], str | int | bool)

    def test_ids_times_and_trace(self, path: Path) -> None:
        """Ids are name-based UUIDs, times RFC 3339 in UTC, the trace context W3C."""
        sample = read(path)
        assert UUID(sample["id"]).version == 5
        assert not sample["causationid"] or UUID(sample["causationid"]).version == 5
        assert datetime.fromisoformat(sample["time"]).utcoffset() == timedelta(0)
        assert TRACEPARENT.match(sample["traceparent"])
        assert sample["tenant"]

    def test_is_readable(self, path: Path) -> None:
        """Recordings are for people too: UTF-8, indented, not escaped."""
        text = path.read_text(encoding="utf-8")
        assert text.startswith('{\n  "')
        assert "\\u" not in text


def test_a_malformed_event_is_refused() -> None:
    """A wrong type inside data and an unknown event type are validation errors, never half an event."""
    topic = next(topic for topic in TOPICS if topic.name == "claw.documents.progressed.v1")
    sample = read(GOLDEN / "claw.document.progressed.v1.json")
    for bad in (
        sample | {"type": "claw.document.sung.v1"},
        sample | {"data": sample["data"] | {"version": "41"}},
        sample | {"time": "yesterday"},
    ):
        with pytest.raises(msgspec.ValidationError):
            decoder(topic).decode(msgspec.json.encode(bad))


def test_the_inbox_sample_is_admitted() -> None:
    """What docs/topics.md shows upstream systems is what ``admit`` takes."""
    event = msgspec.json.decode((GOLDEN / "inbox.json").read_bytes(), type=InboxEvent)
    assert isinstance(event.data, Inbound)
    assert event.data.document_id == "article-17"
