"""The place in the queue of a question that waits, and its estimated wait, sent while there is no answer yet."""

from typing import NamedTuple

import msgspec

from api.chats.estimates import Estimates, QueueEstimate
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.streams import QueuedData
from streams.clock import Clock

POLL_S = 1.0  # a reply without events for so long may be waiting
HEARTBEAT_S = 10.0  # no stream is silent for longer

_encode = msgspec.json.Encoder().encode


class QueuePosition(NamedTuple):
    """The place of one question, as far as it is known."""

    ahead: float
    wait_s: float | None


class QueueTracker:
    """One reader's place. Reports have the length of the queue; the place in it follows from the time of asking and the throughput."""

    def __init__(self, estimates: Estimates, clock: Clock, place: str, tenant: str) -> None:
        self._estimates, self._clock, self._place, self._tenant = estimates, clock, place, tenant
        self._read_s = self._sent_s = clock.monotonic_s()
        self._ahead: float | None = None
        self._position: int | None = None
        self._reports = True

    def mark_retrieved(self, place: str, *, queued: bool) -> None:
        """The search is done, as the event with the id ``place`` reported. A ``queued`` question may still wait for the model; for others
        waiting cannot be told from a model that is thinking, so nothing is sent.
        """
        self._place, self._reports = place, queued

    async def next_frame(self) -> ReplyFrame | None:
        """``queued`` when the place has changed, a heartbeat when one is due, else None. ``queued`` has the id of the event before it."""
        queue, now_s = await self._estimates.question_queue(self._tenant), self._clock.monotonic_s()
        place = advance_position(queue, self._ahead, now_s - self._read_s)
        self._read_s = now_s
        if place is not None and self._reports:
            self._ahead, position = place.ahead, round(place.ahead)
            if position != self._position:
                self._position, self._sent_s = position, now_s
                return ReplyFrame(self._place, "queued", _encode(QueuedData(position, place.wait_s)))
        if now_s - self._sent_s >= HEARTBEAT_S:
            self._sent_s = now_s
            return HEARTBEAT
        return None


def advance_position(queue: QueueEstimate | None, ahead: float | None, elapsed_s: float) -> QueuePosition | None:
    """The place ``elapsed_s`` after ``ahead`` questions were before it (None: not known yet); None when no question waits any more.

    It never moves back: later questions wait behind it.
    """
    if queue is None or queue.position == 0:
        return None
    others = float(queue.position - 1)
    speed = queue.position / queue.wait_s if queue.wait_s else None
    if ahead is not None:
        others = min(others, max(0.0, ahead - elapsed_s * (speed or 0.0)))
    return QueuePosition(others, None if speed is None else round(others / speed, 1))
