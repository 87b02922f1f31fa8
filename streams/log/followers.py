"""Everything in a process that follows the log by itself, for whoever watches whether it moves."""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Protocol

from adapters.kafka import TopicPartition


class Follower(Protocol):
    """A consumer without a group that is to be at the end of its partitions, always."""

    @property
    def topic(self) -> str:
        """The physical name of what it follows."""

    @property
    def is_connected(self) -> bool:
        """A consumer is at work."""

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The offset that is read next, by partition; empty until they are known."""


class Followers:
    """The followers of one process; ``install`` makes those that are started from then on join it."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._followers)

    def install(self) -> None:
        """For the task that calls it, and the tasks that it starts."""
        _FOLLOWERS.set(self)

    def add(self, follower: Follower) -> None:
        """It has begun to follow."""
        self._followers.append(follower)

    def remove(self, follower: Follower) -> None:
        """It follows no more."""
        if follower in self._followers:
            self._followers.remove(follower)


_FOLLOWERS: ContextVar[Followers] = ContextVar("FOLLOWERS")


def followers_here() -> Followers:
    """Those of this process; ones that nobody watches without ``install``."""
    return _FOLLOWERS.get(None) or Followers()
