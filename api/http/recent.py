"""What this process has seen lately: a bounded memory with ages.

Two uses: fresh entries (a second or so) save a round trip per request, old ones let running conversations go on while Redis is down.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Least recently used out first beyond ``size_max``; ``clock_s`` is monotonic."""

    def __init__(self, size_max: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._size_max = size_max
        self._clock_s = clock_s
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, within_s: float) -> V | None:
        """The value, if it was put at most ``within_s`` seconds ago."""
        found = self._kept.get(key)
        if found is None or self._clock_s() - found[0] > within_s:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V) -> None:
        """Keep ``value`` as of now."""
        self._kept[key] = (self._clock_s(), value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size_max:
            self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        """Drop what is known under ``key``."""
        self._kept.pop(key, None)
