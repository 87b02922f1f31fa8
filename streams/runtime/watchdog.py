"""The watchdog of a worker. Faust's consumer can stop for good without an error; a worker that makes no progress although it has lag is
ended and restarted, which is always safe.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.runtime.poison import Partition

EXIT_STUCK = 70  # of a process that ended itself because it made no progress
READY_SHARE = 0.5  # of the time after which a worker is stuck: from then on it is not ready


@dataclass(frozen=True, slots=True)
class Position:
    """The state of a partition: the lowest offset that is not done, when its work began, and the end of the log."""

    pending_offset: int
    begun_s: float | None
    end: int

    @property
    def lag(self) -> int:
        return max(0, self.end - self.pending_offset)


class Watchdog:
    """``stuck_s``: longer than any event may take. All times are monotonic seconds."""

    def __init__(self, stuck_s: float, now_s: float) -> None:
        self._stuck_s = stuck_s
        self._moved: dict[Partition, tuple[Position, float]] = {}
        self._now_s = now_s
        self.lag = 0
        self.standstill_s = 0.0

    def observe(self, positions: Mapping[Partition, Position], now_s: float) -> None:
        """Compare all assigned partitions. One without lag, or with a different or newly begun head, has made progress."""
        seen: dict[Partition, tuple[Position, float]] = {}
        for partition, position in positions.items():
            before = self._moved.get(partition)
            stands = before is not None and position.lag > 0 and _head(before[0]) == _head(position)
            seen[partition] = (position, before[1] if before is not None and stands else now_s)
        self._moved, self._now_s = seen, now_s
        self.lag = sum(position.lag for position in positions.values())
        self.standstill_s = max((now_s - since_s for _, since_s in seen.values()), default=0.0)

    def reset(self) -> None:
        """The broker does not answer: the lag is unknown, so no standstill is counted."""
        self._moved.clear()
        self.standstill_s = 0.0

    @property
    def is_stuck(self) -> bool:
        """The worker should be ended."""
        return self.standstill_s >= self._stuck_s

    @property
    def is_sluggish(self) -> bool:
        """The worker should not count as ready."""
        return self.standstill_s >= self._stuck_s * READY_SHARE


def _head(position: Position) -> tuple[int, float | None]:
    return position.pending_offset, position.begun_s
