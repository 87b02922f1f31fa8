"""Several partitions of a topic read backwards as one list: the newest record first, by the time it was written."""

import heapq
from collections.abc import Mapping

from adapters.kafka import StoredRecord, TopicPartition
from streams.log.reader import LogReader


class BackwardReader:
    """``bounds``: the first offset of each partition, and the one before which reading begins. ``window`` records are read at once."""

    def __init__(self, log: LogReader, bounds: Mapping[TopicPartition, tuple[int, int]], window: int) -> None:
        self._stacks = [_PartitionStack(log, place, begin, before, window) for place, (begin, before) in bounds.items()]
        self._heads: list[tuple[int, int, int]] | None = None

    @property
    def before(self) -> dict[int, int]:
        """By partition, the offset before which another reader goes on."""
        return {stack.place.partition: stack.before for stack in self._stacks}

    async def pop(self) -> StoredRecord | None:
        """The next older record; None when there is none."""
        if self._heads is None:
            self._heads = [head for number, stack in enumerate(self._stacks) if (head := await stack.head(number))]
            heapq.heapify(self._heads)
        if not self._heads:
            return None
        number = self._heads[0][-1]
        record = self._stacks[number].pop()
        if head := await self._stacks[number].head(number):
            heapq.heapreplace(self._heads, head)
        else:
            heapq.heappop(self._heads)
        return record

    @property
    def is_at_end(self) -> bool:
        """Whether ``pop`` has returned, or would return, the last record. Known after the first ``pop``."""
        return self._heads is not None and not self._heads


class _PartitionStack:
    """One partition, read backwards a window at a time; ``before`` is the offset after the next record."""

    def __init__(self, log: LogReader, place: TopicPartition, begin: int, before: int, window: int) -> None:
        self.place = place
        self.before = before
        self._log, self._begin, self._read_from, self._window = log, begin, before, window
        self._records: list[StoredRecord] = []

    async def head(self, number: int) -> tuple[int, int, int] | None:
        """The sort key of the next record among other partitions', with ``number`` last; None at the beginning of the log."""
        while not self._records and self._read_from > self._begin:
            start_at = max(self._begin, self._read_from - self._window)
            self._records = await self._log.read_range(self.place, start_at, self._read_from)
            self._read_from = start_at
        return (-self._records[-1].timestamp, -self._records[-1].offset, number) if self._records else None

    def pop(self) -> StoredRecord:
        record = self._records.pop()
        self.before = record.offset
        return record
