"""What a reader hears of a question that still waits for its turn: its place and how long that may take, in place of silence."""

from typing import NamedTuple

import msgspec

from api.chats.estimates import Estimates, QueueEstimate
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.streams import QueuedData
from streams.clock import Clock

POLL_S = 1.0  # a reply that says nothing for so long may be waiting
HEARTBEAT_S = 10.0  # no stream is silent for longer

_encode = msgspec.json.Encoder().encode


class QueuePosition(NamedTuple):
    """One question's part of the queue, as far as it is known."""

    ahead: float
    wait_s: float | None


class QueueTracker:
    """Of one reader. Reports know how many wait altogether; the place in between follows from when the reader came and how fast it goes."""

    def __init__(self, estimates: Estimates, clock: Clock, place: str) -> None:
        self._estimates, self._clock, self._place = estimates, clock, place
        self._looked_s = self._told_s = clock.monotonic_s()
        self._ahead: float | None = None
        self._position: int | None = None
        self._tells = True

    def mark_retrieved(self, place: str, *, queued: bool) -> None:
        """The search is done, and the event with the id ``place`` told of it. What was ``queued`` may still wait for the model; of the rest
        nobody can tell waiting from a model that thinks, and so nothing is said.
        """
        self._place, self._tells = place, queued

    async def next_frame(self) -> ReplyFrame | None:
        """``queued`` when there is news, a heartbeat when it is time for one, else None. A ``queued`` has the id of the event before it."""
        queue, now_s = await self._estimates.question_queue(), self._clock.monotonic_s()
        mine = advance_position(queue, self._ahead, now_s - self._looked_s)
        self._looked_s = now_s
        if mine is not None and self._tells:
            self._ahead, position = mine.ahead, round(mine.ahead)
            if position != self._position:
                self._position, self._told_s = position, now_s
                return ReplyFrame(self._place, "queued", _encode(QueuedData(position, mine.wait_s)))
        if now_s - self._told_s >= HEARTBEAT_S:
            self._told_s = now_s
            return HEARTBEAT
        return None


def advance_position(queue: QueueEstimate | None, ahead: float | None, elapsed_s: float) -> QueuePosition | None:
    """Where a question stands ``elapsed_s`` after ``ahead`` waited before it (None: nobody looked yet); None when nobody waits any more.

    It never moves back: whoever came later waits behind it.
    """
    if queue is None or queue.position == 0:
        return None
    others = float(queue.position - 1)
    speed = queue.position / queue.wait_s if queue.wait_s else None
    if ahead is not None:
        others = min(others, max(0.0, ahead - elapsed_s * (speed or 0.0)))
    return QueuePosition(others, None if speed is None else round(others / speed, 1))
