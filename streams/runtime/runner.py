"""The keyed runner: one partition's events, in order within a key, side by side across keys.

An event is *offered*, *admitted* (it counts against the window), *started* (it has a task) and *acknowledged*. What holds at any moment:

* of one key at most ``run_max`` events are started, normally one, and keys are worked in offset order. With more, ``work`` gets them in
  that order, ends them in it, and does none behind one that it leaves; it leaves every event that is detached and not begun;
* acknowledgements are given in offset order and only for the finished prefix, so the offset never passes unfinished work;
* at most ``window`` admitted events are unacknowledged, at most ``key_queue_max`` of them wait behind one key. What does not fit waits
  outside, and ``hold(True)`` asks the source to send no more of this partition; others are not affected;
* a permit is taken by the work itself, when it really begins: what waits (behind a key, for a lease) costs none. Permits are given to
  tenants in turn, so that of a window full of one tenant's events another tenant's next one waits for about one.

After ``release()`` nothing is acknowledged any more. What was queued is forgotten; what was started goes on and is handed over in a
``Carried``: the partition's next runner in this process adopts it instead of doing it twice, anyone else lets it finish or cancels it.
"""

import asyncio
import enum
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from adapters.fairness import FairSlots, Weight, equal_weight

RETRY_DELAY_S_MIN, RETRY_DELAY_S_MAX = 0.2, 5.0  # before an event that was left to another worker is tried here again


class KeyedRecord(Protocol):
    """The part of an event that the runner uses."""

    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...


R = TypeVar("R", bound=KeyedRecord)


class WorkOutcome(enum.Enum):
    """How the work on an event ended. LEFT: another worker owns it; not acknowledged, and tried again should the partition stay here."""

    DONE = "done"
    LEFT = "left"


@dataclass(slots=True, eq=False)
class Execution:
    """The state of one event's work. ``detached`` is true while no runner of this process waits for the result."""

    permits: AbstractAsyncContextManager[Any]  # one permit of the partition, for the tenant, while it is entered
    offered_s: float
    tenant: str = ""
    begun_s: float | None = None  # when it had its lease and permit; set by the work
    handovers: int = 0  # how often this event was left to a newer worker before; set by the work
    detached: bool = False


Work = Callable[[R, Execution], Awaitable[WorkOutcome]]  # a coroutine is made a task; a future is waited for as it is
Ack = Callable[[R], None]
Key = bytes | int | None


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a runner: events in work, events that have not begun, and free permits."""

    running: int
    unbegun: int
    finished: int  # not acknowledged, because one before them is not finished
    free: int


@dataclass(slots=True, eq=False)
class _Entry(Generic[R]):
    record: R
    key: Key
    execution: Execution
    task: asyncio.Future[WorkOutcome] | None = None
    done: bool = False
    adopted: bool = False  # ``task`` was started by this partition's last runner


@dataclass(slots=True, eq=False)
class CarriedWork:
    """Started, unacknowledged work of a released runner, by offset, ascending; its successor uses the same permits."""

    permits: FairSlots
    work: dict[int, tuple[asyncio.Future[WorkOutcome], Execution]] = field(default_factory=dict)

    def cancel(self) -> None:
        """Cancel all of it."""
        for task, _ in self.work.values():
            task.cancel()
        self.work.clear()


class KeyedRunner(Generic[R]):
    """See the module. All methods belong to one event loop; none of them blocks.

    ``work`` must not raise: should it, ``broken`` is called with the error and the event stays unacknowledged. ``in_order`` makes one key
    of the whole partition. Events without a key have no order among themselves. ``tenant_of`` and ``weight`` decide whose turn it is.
    ``run_max``: events of one key that are started together.
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
        run_max: int = 1,
        carried: CarriedWork | None = None,
        tenant_of: Callable[[R], str] = lambda _: "",
        weight: Weight = equal_weight,
    ) -> None:
        self._work, self._ack, self._tenant_of = work, ack, tenant_of
        self._key_queue_max, self._window = key_queue_max, window
        self._in_order, self._run_max = in_order, run_max
        self._hold, self._held = hold, False
        self._broken = broken
        self._permits = carried.permits if carried is not None else FairSlots(in_flight_max, weight)
        self._in_flight_max = in_flight_max
        self._carried = carried.work if carried is not None else {}
        self._waiting: deque[_Entry[R]] = deque()  # offered, not admitted: bounded by what one poll brings after hold(True)
        self._order: deque[_Entry[R]] = deque()  # admitted, in offset order
        self._keys: dict[Key, deque[_Entry[R]]] = {}  # the first ones of each are started
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
        """The execution of the oldest unacknowledged event."""
        return self._order[0].execution if self._order else None

    @property
    def load(self) -> Load:
        """The load now."""
        if self.is_idle:
            return Load(0, 0, 0, self._in_flight_max)
        finished = sum(entry.done for entry in self._order)
        running = sum(entry.execution.begun_s is not None and not entry.done for entry in self._order)
        unbegun = len(self._order) - finished - running + len(self._waiting)
        return Load(running, unbegun, finished, max(0, self._in_flight_max - running))

    @property
    def backlog(self) -> Counter[str]:
        """The events of each tenant that are not done."""
        return Counter(entry.execution.tenant for entries in (self._order, self._waiting) for entry in entries if not entry.done)

    @property
    def is_idle(self) -> bool:
        """Whether it has no event."""
        return not (self._order or self._waiting)

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
        """Take an event. False: it is not taken (released, or a repeat of one that is here) and will not be acknowledged."""
        if self._released or self._closed or record.offset <= self._last_offset:
            return False
        self._last_offset = record.offset
        key: Key = None if self._in_order else record.offset if record.key is None else record.key
        self._drop_carried(below=record.offset)
        tenant = self._tenant_of(record)
        execution = Execution(self._permits.turn(tenant), asyncio.get_running_loop().time(), tenant)
        self._waiting.append(_Entry(record, key, execution))
        self._admit()
        return True

    def close(self) -> None:
        """Start no more work; started work goes on and is acknowledged, up to the first event that has not started."""
        self._closed = True
        self._waiting.clear()
        for handle in self._again.values():
            handle.cancel()
        self._again.clear()

    def release(self) -> CarriedWork:
        """The partition was revoked: acknowledge nothing any more, drop the queue, return the started work."""
        self._released = True
        carried = CarriedWork(self._permits)
        for entry in self._order:
            if entry.task is not None:
                entry.execution.detached = not entry.task.done()
                carried.work[entry.record.offset] = (entry.task, entry.execution)
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
        """Events below an offset that is read now were committed by another worker: cancel their work."""
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
                queue = self._keys[entry.key] = deque()
            queue.append(entry)
            self._start_first(queue)
        if self._held != bool(self._waiting):
            self._held = not self._held
            self._hold(self._held)

    def _start_first(self, queue: deque[_Entry[R]]) -> None:
        """Start the first events of a key that are not, up to one that is to be tried again later. Behind adopted work, which may be left,
        no other is started.
        """
        if self._closed or queue[min(len(queue), self._run_max) - 1].task is not None:
            return
        adopted = False
        for entry in islice(queue, self._run_max):
            if entry in self._again or (adopted and entry.task is None and entry.record.offset not in self._carried):
                return
            if entry.task is None:
                self._start(entry)
            adopted = adopted or entry.adopted

    def _start(self, entry: _Entry[R]) -> None:
        carried = self._carried.pop(entry.record.offset, None)
        entry.adopted = carried is not None
        if carried is not None:
            entry.task, entry.execution = carried
        if carried is None or self._run_max == 1:  # of several, all that have not begun stay detached, so that they are left in order
            entry.execution.detached = False
        if entry.task is None:
            entry.task = asyncio.ensure_future(self._work(entry.record, entry.execution))
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
        queue.remove(entry)
        if queue:
            self._start_first(queue)
        else:
            del self._keys[entry.key]
        while self._order and self._order[0].done:
            self._ack(self._order.popleft().record)
        if not self._closed:
            self._admit()

    def _retry_later(self, entry: _Entry[R]) -> None:
        """The first of its key is tried again after a while, and those behind it with it."""
        entry.task, entry.adopted = None, False
        if self._keys[entry.key][0] is entry:
            delay_s = min(RETRY_DELAY_S_MAX, RETRY_DELAY_S_MIN * 2**entry.execution.handovers)
            self._again[entry] = asyncio.get_running_loop().call_later(delay_s, self._retry, entry)

    def _retry(self, entry: _Entry[R]) -> None:
        del self._again[entry]
        self._start_first(self._keys[entry.key])
