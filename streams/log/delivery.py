"""A record as it came from a topic."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.log.outgoing import LogOffset


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record as it came, for agents that decode by themselves (``Agent.raw``): the inbox."""

    place: LogOffset
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Mapping[str, bytes]
