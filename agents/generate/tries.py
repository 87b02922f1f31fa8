"""What the tries of one reply know of each other, and of replies that have ended."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.chats import Message
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Context

RECENT_ENDS_MAX = 10_000


@dataclass(slots=True)
class Tries:
    """The tries of one event in this process. ``number`` counts them. ``is_first``: this one, and no other can have come before it here or
    elsewhere. ``alone``: nothing that another worker has published ends the reply for its readers, and none has
    had the lease since. ``unshown``: the usage of
    calls that were not the answer, each with its attempt; published with the end.
    """

    number: int = 0
    is_first: bool = False
    alone: bool = False
    unshown: list[tuple[int, Outgoing]] = field(default_factory=list)

    def add_unshown(self, attempt: int, usage: Iterable[Outgoing]) -> None:
        """Usage of a call of this attempt."""
        self.unshown += [(attempt, each) for each in usage]


def tries_of(context: Context) -> Tries:
    """The tries of the context's event."""
    if context.notes is None:
        context.notes = Tries()
    tries: Tries = context.notes
    return tries


class FoundMessage(NamedTuple):
    """A reply's message of the table, if there is one; not ``known``: Redis could not be asked."""

    message: Message | None
    known: bool


class RecentEnds:
    """Replies that this process has ended lately: a question may come twice, the second time while Redis has no memory of the first."""

    def __init__(self, size_max: int = RECENT_ENDS_MAX) -> None:
        self._size_max = size_max
        self._replies: dict[str, None] = {}  # oldest first

    def add(self, reply_id: str) -> None:
        """Remember a reply; the oldest is forgotten."""
        self._replies[reply_id] = None
        if len(self._replies) > self._size_max:
            del self._replies[next(iter(self._replies))]

    def __contains__(self, reply_id: str) -> bool:
        return reply_id in self._replies
