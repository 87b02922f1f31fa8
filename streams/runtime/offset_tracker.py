"""The books of a consumer: what was read and is not acknowledged."""

from collections.abc import Iterable, Iterator, MutableSet

from faust.types import TP, Message


class OffsetTracker(MutableSet[Message]):
    """The messages that were read and not acknowledged, by partition.

    Stock Faust keeps them in a WeakSet: one that is garbage collected counts as done.
    """

    def __init__(self) -> None:
        self._by_partition: dict[TP, dict[Message, None]] = {}

    def add(self, value: Message) -> None:
        self._by_partition.setdefault(value.tp, {})[value] = None

    def discard(self, value: Message) -> None:
        self._by_partition.get(value.tp, {}).pop(value, None)

    def drop(self, partitions: Iterable[TP]) -> None:
        """Nobody here will acknowledge what was read from these."""
        for tp in partitions:
            self._by_partition.pop(tp, None)

    def clear(self) -> None:
        self._by_partition.clear()

    def lowest(self, tp: TP) -> int | None:
        """The lowest offset of the partition that may not be passed."""
        return min((message.offset for message in self._by_partition.get(tp, ())), default=None)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Message) and value in self._by_partition.get(value.tp, {})

    def __iter__(self) -> Iterator[Message]:
        return (message for messages in self._by_partition.values() for message in messages)

    def __len__(self) -> int:
        return sum(map(len, self._by_partition.values()))
