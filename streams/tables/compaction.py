"""Keeps a compacted topic true to its table: the record of the greatest order must be the last of its key.

Where the order is not the offset (the version of a document, the attempt of an answer), a writer that was stopped for a while may append an
older record behind a newer one. The table refuses it, but compaction would keep it and drop the newer, and a rebuild would show it. So
the projector, which reads every record, publishes the newer one once more.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.events import Event
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.range_reader import RangeSource
from streams.tables.projection import Record
from streams.topics import Topic, decoder

KEYS_MAX = 50_000  # remembered: about 20 MB; a writer that comes back after more keys have changed is not noticed


@dataclass(frozen=True, slots=True)
class _Newest:
    order: str
    place: LogOffset


class NewestLast:
    """The newest record of each key that was read lately. ``source`` reads one of a topic's partitions again."""

    def __init__(self, records: Sequence[Record[Any, Any]], source: Callable[[Topic], RangeSource], keys_max: int = KEYS_MAX) -> None:
        self._records = {record.event: record for record in records if not record.is_ordered_by_offset}
        self._source, self._keys_max = source, keys_max
        self._newest: OrderedDict[tuple[str, str], _Newest] = OrderedDict()

    async def repair(self, event: Event, place: LogOffset) -> Outgoing | None:
        """The newer record to publish behind this one, if there is one; call it for every record, in the order of the log. Raises
        Unavailable("kafka_unavailable").
        """
        record = self._records.get(type(event))
        if record is None or not record.applies(event):
            return None
        key, order = (place.topic, event.subject), record.order(event, place)
        known = self._newest.get(key)
        if known is not None and order < known.order:
            return await self._read(record.topic, known.place)
        self._newest[key] = _Newest(order, place)
        self._newest.move_to_end(key)
        if len(self._newest) > self._keys_max:
            self._newest.popitem(last=False)
        return None

    async def _read(self, topic: Topic, place: LogOffset) -> Outgoing | None:
        async for found in self._source(topic).records(place.partition, place.offset, place.offset + 1):
            try:
                event = decoder(topic).decode(found.value or b"")
            except msgspec.DecodeError:
                return None
            return Outgoing(topic, event, partition=place.partition)
        return None
