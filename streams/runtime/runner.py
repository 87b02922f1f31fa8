"""The keyed runner: one partition's events, in order within a key, side by side across keys.

An event is *offered*, *admitted* (it counts against the window), *started* (it has a task) and *acknowledged*. What holds at any moment:

* of one key at most one event is started, and keys are worked in offset order;
* acknowledgements are given in offset order and only for the finished prefix, so the offset never passes unfinished work;
* at most ``window`` admitted events are unacknowledged, at most ``key_queue_max`` of them wait behind one key. What does not fit waits
  outside, and ``hold(True)`` asks the source to send no more of this partition; others are not affected;
* a permit is taken by the work itself, when it really begins: what waits (behind a key, for a lease) costs none.

After ``release()`` nothing is acknowledged any more. What was queued is forgotten; what was started goes on and is handed over in a
``Carried``: the partition's next runner in this process adopts it instead of doing it twice, anyone else lets it finish or cancels it.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

TURN_DELAY_S_MIN, TURN_DELAY_S_MAX = 0.2, 5.0  # before an event that was left to somebody else gets another turn here


class KeyedRecord(Protocol):
    """What the runner must know of an event."""

    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...


R = TypeVar("R", bound=KeyedRecord)


class WorkOutcome(enum.Enum):
    """How a piece of work ended. LEFT: somebody else owns it; never acknowledged, and tried again should the partition stay here."""

    DONE = "done"
    LEFT = "left"


@dataclass(slots=True, eq=False)
class Execution:
    """What a running event knows of its place here. ``detached`` is true while no runner of this process waits for the result."""

    permits: asyncio.Semaphore
    offered_s: float
    begun_s: float | None = None  # when the work had all it waited for; the work says so
    number: int = 0  # how often this event was left to somebody newer before; the work says so
    detached: bool = False


Work = Callable[[R, Execution], Awaitable[WorkOutcome]]  # a coroutine is made a task; a future is waited for as it is
Ack = Callable[[R], None]
Key = bytes | int | None


@dataclass(frozen=True, slots=True)
class Load:
    """What a runner has in hand: events in work, events that have not begun, and permits that nobody holds."""

    running: int
    unbegun: int
    finished: int  # not acknowledged, because one before them is not finished
    free: int


@dataclass(slots=True, eq=False)
class _Entry(Generic[R]):
    record: R
    key: Key
    turn: Execution
    task: asyncio.Future[WorkOutcome] | None = None
    done: bool = False


@dataclass(slots=True, eq=False)
class CarriedWork:
    """Started, unacknowledged work of a released runner, by offset, ascending; the permits it holds belong to its successor too."""

    permits: asyncio.Semaphore
    work: dict[int, tuple[asyncio.Future[WorkOutcome], Execution]] = field(default_factory=dict)

    def cancel(self) -> None:
        """Give all of it up."""
        for task, _ in self.work.values():
            task.cancel()
        self.work.clear()


class KeyedRunner(Generic[R]):
    """See the module. All methods belong to one event loop; none of them blocks.

    ``work`` must not raise: should it, ``broken`` is told and the event stays unacknowledged. ``in_order`` makes one key of the whole
    partition. Events without a key have no order among themselves.
    """

    def __init__(
        self,
        work: Work[R],
        ack: Ack[R],
        *,
        in_flight_max: int,
        key_queue_max: int,
        window: int,
        hold: Callable[[bool], None],
        broken: Callable[[BaseException], None],
        in_order: bool = False,
        carried: CarriedWork | None = None,
    ) -> None:
        self._work, self._ack = work, ack
        self._key_queue_max, self._window = key_queue_max, window
        self._in_order = in_order
        self._hold, self._held = hold, False
        self._broken = broken
        self._permits = carried.permits if carried is not None else asyncio.Semaphore(in_flight_max)
        self._in_flight_max = in_flight_max
        self._carried = carried.work if carried is not None else {}
        self._waiting: deque[_Entry[R]] = deque()  # offered, not admitted: bounded by what one poll brings after hold(True)
        self._order: deque[_Entry[R]] = deque()  # admitted, in offset order
        self._keys: dict[Key, deque[_Entry[R]]] = {}  # the first of each is started
        self._again: dict[_Entry[R], asyncio.TimerHandle] = {}
        self._last_offset = -1
        self._released = self._closed = False

    @property
    def in_flight_count(self) -> int:
        """Admitted events that are not acknowledged."""
        return len(self._order)

    @property
    def waiting_count(self) -> int:
        """Offered events that are not admitted."""
        return len(self._waiting)

    @property
    def head(self) -> Execution | None:
        """The oldest unacknowledged event's."""
        return self._order[0].turn if self._order else None

    @property
    def load(self) -> Load:
        """How much is in hand now."""
        finished = sum(entry.done for entry in self._order)
        running = sum(entry.turn.begun_s is not None and not entry.done for entry in self._order)
        unbegun = len(self._order) - finished - running + len(self._waiting)
        return Load(running, unbegun, finished, max(0, self._in_flight_max - running))

    @property
    def is_open(self) -> bool:
        """Whether events are taken at all."""
        return not (self._closed or self._released)

    @property
    def tasks(self) -> list[asyncio.Future[WorkOutcome]]:
        """What is started and not finished, adopted work included."""
        own = (entry.task for entry in self._order if entry.task is not None)
        return [task for task in (*own, *(task for task, _ in self._carried.values())) if not task.done()]

    @property
    def offsets_in_work(self) -> list[int]:
        """Offsets of unacknowledged events whose work has started; finished ones behind a hole included."""
        return [entry.record.offset for entry in self._order if entry.task is not None] + list(self._carried)

    def offer(self, record: R) -> bool:
        """Take an event. False: it is not wanted (released, or a repeat of one that is here) and will not be acknowledged."""
        if self._released or self._closed or record.offset <= self._last_offset:
            return False
        self._last_offset = record.offset
        key: Key = None if self._in_order else record.offset if record.key is None else record.key
        self._drop_carried(below=record.offset)
        self._waiting.append(_Entry(record, key, Execution(self._permits, asyncio.get_running_loop().time())))
        self._admit()
        return True

    def close(self) -> None:
        """Start nothing any more; started work goes on and is acknowledged, as far as nothing unstarted lies before it."""
        self._closed = True
        self._waiting.clear()
        for handle in self._again.values():
            handle.cancel()
        self._again.clear()

    def release(self) -> CarriedWork:
        """The partition is no longer ours: acknowledge nothing any more, forget the queue, hand over what was started."""
        self._released = True
        carried = CarriedWork(self._permits)
        for entry in self._order:
            if entry.task is not None:
                entry.turn.detached = not entry.task.done()
                carried.work[entry.record.offset] = (entry.task, entry.turn)
        carried.work.update(self._carried)
        carried.work = dict(sorted(carried.work.items()))
        for handle in self._again.values():
            handle.cancel()
        self._again.clear()
        self._waiting.clear()
        self._order.clear()
        self._keys.clear()
        self._carried = {}
        return carried

    def _drop_carried(self, *, below: int) -> None:
        """What lies below an offset that is read now was committed by somebody else: nobody waits for it."""
        while self._carried and (offset := next(iter(self._carried))) < below:
            self._carried.pop(offset)[0].cancel()

    def _admit(self) -> None:
        while self._waiting and len(self._order) < self._window:
            queue = self._keys.get(self._waiting[0].key)
            if queue is not None and len(queue) > self._key_queue_max:  # one of them is started, not queued
                break
            entry = self._waiting.popleft()
            self._order.append(entry)
            if queue is None:
                self._keys[entry.key] = deque((entry,))
                self._start(entry)
            else:
                queue.append(entry)
        if self._held != bool(self._waiting):
            self._held = not self._held
            self._hold(self._held)

    def _start(self, entry: _Entry[R]) -> None:
        self._again.pop(entry, None)
        if self._closed:
            return
        adopted = self._carried.pop(entry.record.offset, None)
        if adopted is not None:
            entry.task, entry.turn = adopted
            entry.turn.detached = False
        else:
            entry.task = asyncio.ensure_future(self._work(entry.record, entry.turn))
        entry.task.add_done_callback(lambda task: self._on_task_done(entry, task))

    def _on_task_done(self, entry: _Entry[R], task: asyncio.Future[WorkOutcome]) -> None:
        if task.cancelled():
            return  # a shutdown, or work that was carried too far: it stays unacknowledged
        if (error := task.exception()) is not None:
            self._broken(error)
        elif self._released:
            return
        elif task.result() is WorkOutcome.DONE:
            self._finish(entry)
        elif not self._closed:
            self._retry_later(entry)

    def _finish(self, entry: _Entry[R]) -> None:
        entry.done = True
        queue = self._keys[entry.key]
        queue.popleft()
        if queue:
            self._start(queue[0])
        else:
            del self._keys[entry.key]
        while self._order and self._order[0].done:
            self._ack(self._order.popleft().record)
        if not self._closed:
            self._admit()

    def _retry_later(self, entry: _Entry[R]) -> None:
        delay_s = min(TURN_DELAY_S_MAX, TURN_DELAY_S_MIN * 2**entry.turn.number)
        entry.task = None
        self._again[entry] = asyncio.get_running_loop().call_later(delay_s, self._start, entry)
