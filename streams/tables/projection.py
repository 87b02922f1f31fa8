"""Records as data, and the one projection that applies events to their tables.

A ``Record`` declares the topic of a table and how an event becomes a row. A writer that wants to read its own write and the
projector both call ``Tables.apply`` with the event and its offset, so both write the same row with the same order, and the second of them
changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from adapters.redis.client import RedisClient
from schemas.events import Event
from streams.log.outgoing import LogOffset
from streams.tables.record_table import Put, RecordTable, order_of
from streams.topics import Topic

E = TypeVar("E", bound=Event)
T = TypeVar("T")

Events = Sequence[tuple[E, LogOffset]]


def _data(event: Any) -> Any:
    return event.data


def _data_id(event: Any) -> str:
    return str(event.data.id)


def _never(_event: Any) -> bool:
    return False


def _always(_event: Any) -> bool:
    return True


def _offset_order(_event: Any, offset: LogOffset) -> str:
    return order_of(offset.offset)


def _offset_rank(_event: Any, offset: LogOffset) -> float:
    return float(offset.offset)


def _no_group(_event: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Generic[E, T]):
    """One record table: rows of ``type``, made from the events of class ``event`` on ``topic``.

    An event's row stands under ``scope`` (what is listed together, such as ``tenant/user``) and ``id``; ``value`` makes it. A row whose
    event is ``gone`` becomes a tombstone; an event that does not ``apply`` leaves the table alone. The row with the greater ``order``
    stays; ``rank`` is its place in lists, ``group`` see ``RecordTable.group_members``. ``retention_s`` ends a row's life, ``lifted`` see
    ``RecordTable``. ``then`` runs after the rows of some events were put, with the events whose scope still takes rows.
    """

    table: str
    topic: Topic
    event: type[E]
    type: type[T]
    scope: Callable[[E], str]
    id: Callable[[E], str] = _data_id
    value: Callable[[E], T] = _data
    gone: Callable[[E], bool] = _never
    applies: Callable[[E], bool] = _always
    order: Callable[[E, LogOffset], str] = _offset_order
    rank: Callable[[E, LogOffset], float] = _offset_rank
    group: Callable[[E], str] = _no_group
    retention_s: float | None = None
    lifted: Callable[[T, float], T] | None = None
    then: "Callable[[Tables, Sequence[E]], Awaitable[None]] | None" = None

    @property
    def is_ordered_by_offset(self) -> bool:
        """Whether a later record is a newer one."""
        return self.order is _offset_order

    def put(self, event: E, offset: LogOffset) -> Put[T]:
        """The row of one event."""
        value = None if self.gone(event) else self.value(event)
        return Put(self.scope(event), self.id(event), value, self.order(event, offset), self.rank(event, offset), self.group(event))


class Tables:
    """Every record table of an installation. Methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str, records: Sequence[Record[Any, Any]]) -> None:
        self._redis, self._prefix = redis, prefix
        self._tables = {
            record.table: RecordTable(redis, prefix, record.table, record.type, record.retention_s, record.lifted) for record in records
        }
        self._records: dict[type[Event], list[Record[Any, Any]]] = {}
        for record in records:
            self._records.setdefault(record.event, []).append(record)

    def of(self, record: Record[E, T]) -> RecordTable[T]:
        """The table of this record."""
        return self._tables[record.table]

    def with_retention(self, record: Record[E, T], retention_s: float) -> RecordTable[T]:
        """The same table with rows that expire after ``retention_s``."""
        return RecordTable(self._redis, self._prefix, record.table, record.type, retention_s)

    async def apply(self, event: Event, offset: LogOffset) -> None:
        """Apply this event at ``offset`` to the tables; events without a record are ignored."""
        await self.apply_many([(event, offset)])

    async def apply_many(self, events: Events[Event]) -> list[Event]:
        """Apply several events in few round trips: the events of one class together, classes in the order of their first event.

        Returns the events that came too late, because their scope is closed.
        """
        by_class: dict[type[Event], list[tuple[Event, LogOffset]]] = {}
        for event, offset in events:
            if type(event) in self._records:
                by_class.setdefault(type(event), []).append((event, offset))
        late: list[Event] = []
        for kind, some in by_class.items():
            for record in self._records[kind]:
                late += await self._put(record, some)
        return late

    async def remove_many(self, events: Events[Event]) -> None:
        """Remove the rows that these events put: a tombstone followed them on the log."""
        for event, offset in events:
            for record in self._records.get(type(event), ()):
                if record.applies(event):
                    await self._tables[record.table].remove_many([record.put(event, offset)])

    async def _put(self, record: Record[Any, Any], events: Events[Event]) -> list[Event]:
        puts = [(event, record.put(event, offset)) for event, offset in events if record.applies(event)]
        if not puts:
            return []
        refused = {id(put) for put in await self._tables[record.table].put_many([put for _, put in puts])}
        if record.then is not None:
            await record.then(self, [event for event, put in puts if id(put) not in refused])
        return [event for event, put in puts if id(put) in refused]


def micros(at: datetime) -> int:
    """Microseconds since the epoch, exact."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def rank_of(at: datetime) -> float:
    """A rank that lists by time; exact below 2^53, that is until the year 2255."""
    return float(micros(at))
