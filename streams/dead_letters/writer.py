"""The writer of dead letters: original bytes, with log offset and cause in headers. Only after this may the consumer's offset move."""

from collections.abc import Mapping
from typing import Protocol

from schemas.errors import Problem, Refused
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Publisher
from streams.topics import DEAD_LETTERS

DETAIL_CHARS_MAX = 2_000  # of the cause; the rest is in the log
KEY_BYTES_MAX = 65_536  # of a dead letter without its value
LEFT_OUT = "left-out-bytes"  # header of a dead letter whose value was too large
HEADERS: Mapping[str, str] = {
    "topic": "Topic of the original record.",
    "partition": "Its partition.",
    "offset": "Its offset.",
    "timestamp-ms": "Its time, in milliseconds since 1970.",
    "agent": "The agent that could not process it; `reader` where no consumer can read it.",
    "code": "Code of the error (docs/errors.md).",
    "detail": f"What is wrong, at most {DETAIL_CHARS_MAX} characters.",
    "error": "Class of the error.",
    "attempts": "How often it was tried.",
    "traceparent": "W3C trace context; may be empty.",
}
OPTIONAL_HEADERS: Mapping[str, str] = {
    LEFT_OUT: "Bytes of the original value, where it was too large for a dead letter and is left out.",
    "last-offset": "Of a batch that no consumer can read: the last of its offsets.",
}
ORIGINAL_HEADERS_BYTES_MAX = 65_536  # headers that are copied; more than that is a producer's mistake and must not stop the dead letter


class WorkerPublisher(Publisher, Protocol):
    """The publisher of a worker: events, and raw bytes."""

    @property
    def problem(self) -> str:
        """Why some events cannot be published now, in a sentence; "" when all can be."""
        ...

    async def publish_raw(self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]) -> LogOffset:
        """Publish raw bytes on the topic of this physical name; raises Unavailable."""
        ...


def dead_letter_headers(
    delivery: Delivery, *, agent: str, problem: Problem, error: str, attempts: int, traceparent: str
) -> dict[str, bytes]:
    """Headers of a dead letter; those of the original follow with ``original-`` before their names."""
    headers = {
        "topic": delivery.place.topic,
        "partition": str(delivery.place.partition),
        "offset": str(delivery.place.offset),
        "timestamp-ms": str(delivery.timestamp_ms),
        "agent": agent,
        "code": problem.code,
        "detail": problem.detail[:DETAIL_CHARS_MAX],
        "error": error,
        "attempts": str(attempts),
        "traceparent": traceparent,
    }
    encoded = {name: value.encode(errors="replace") for name, value in headers.items()}
    room = ORIGINAL_HEADERS_BYTES_MAX
    for name, value in delivery.headers.items():
        room -= len(name) + len(value)
        if room < 0:
            break
        encoded[f"original-{name}"] = value
    return encoded


async def write_dead_letter(publisher: WorkerPublisher, prefix: str, delivery: Delivery, headers: Mapping[str, bytes]) -> LogOffset:
    """Write the dead letter under ``prefix`` (settings.kafka.topic_prefix); raises Unavailable when the log does not take it.

    A record that is larger than the topic of dead letters takes stays without its value and the rest of its headers.
    """
    topic = prefix + DEAD_LETTERS.name
    try:
        return await publisher.publish_raw(topic, delivery.key, delivery.value, headers)
    except Refused:
        own = {name: value for name, value in headers.items() if not name.startswith("original-")}
        key = delivery.key if len(delivery.key or b"") <= KEY_BYTES_MAX else None
        return await publisher.publish_raw(topic, key, b"", own | {LEFT_OUT: str(len(delivery.value or b"")).encode()})
