"""A bounded map of recently seen values with their age.

Fresh entries (a second or so) save a round trip per request; older ones keep running conversations going while Redis is down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Beyond ``size_max`` entries the least recently used one is evicted; ``clock_s`` is monotonic."""

    def __init__(self, size_max: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._size_max = size_max
        self._clock_s = clock_s
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, within_s: float) -> V | None:
        """The value, if it was put at most ``within_s`` seconds ago."""
        found = self._entries.get(key)
        if found is None or self._clock_s() - found[0] > within_s:
            return None
        self._entries.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V) -> None:
        """Set the value, with the present time."""
        self._entries[key] = (self._clock_s(), value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size_max:
            self._entries.popitem(last=False)

    def forget(self, key: K) -> None:
        """Remove the entry."""
        self._entries.pop(key, None)
