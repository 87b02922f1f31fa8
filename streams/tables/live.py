"""Live values: a constructor takes one in place of a setting that is read once."""

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from streams.tables.topic_map import TopicMap

T = TypeVar("T")
V = TypeVar("V")

log = structlog.get_logger(__name__)


class Live(Generic[T]):
    """The value that is in force. Made with one value it is a constant until ``replace`` is called."""

    __slots__ = ("_subscribers", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self._subscribers: list[Callable[[T], None]] = []

    def subscribe(self, subscriber: Callable[[T], None]) -> Callable[[], None]:
        """Call ``subscriber(value)`` at every change from now on; it must not raise. The result ends that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def replace(self, value: T) -> None:
        """Put another value in force; the same one again is no change."""
        if value == self.value:
            return
        self.value = value
        for subscriber in tuple(self._subscribers):
            subscriber(value)


def follow(values: TopicMap[V], key: str, default: T, parse: Callable[[V], T]) -> Live[T]:
    """The live value of ``key`` in a topic map, parsed by ``parse``; ``default`` without one. Call it before the map starts.

    ``parse`` raises ValueError or msgspec.ValidationError for a value that cannot be used: the one before stays in force.
    """
    live = Live(default)

    def update(changed: str, value: V | None) -> None:
        if changed != key:
            return
        try:
            parsed = default if value is None else parse(value)
        except ValueError as error:  # msgspec.ValidationError is one
            log.warning("live_value_unusable", key=key, error=str(error))
            return
        live.replace(parsed)
        log.info("live_value_in_force", key=key)

    values.watch(key, update)
    return live
