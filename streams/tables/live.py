"""Live values that follow a key of a topic map."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from streams.live import Live
from streams.tables.topic_map import TopicMap

T = TypeVar("T")
V = TypeVar("V")

log = structlog.get_logger(__name__)


def follow(
    values: TopicMap[V], key: str, default: T, parse: Callable[[V], T], seen: Callable[[V | None, str], None] | None = None
) -> Live[T]:
    """The live value of ``key`` in a topic map, parsed by ``parse``; ``default`` without one. Call it before the map starts.

    ``parse`` raises ValueError or msgspec.ValidationError for a value that cannot be used: the one before stays in force.
    ``seen(value, problem)`` is called after each value of the key; ``problem`` says why it cannot be used, and is "" when it is in force.
    """
    live = Live(default)

    def update(changed: str, value: V | None) -> None:
        if changed != key:
            return
        try:
            parsed = default if value is None else parse(value)
        except ValueError as error:  # msgspec.ValidationError is one
            log.warning("live_value_unusable", key=key, error=str(error))
            if seen is not None:
                seen(value, str(error))
            return
        live.replace(parsed)
        log.info("live_value_in_force", key=key)
        if seen is not None:
            seen(value, "")

    values.watch(key, update)
    return live
