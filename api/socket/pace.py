"""The rate of frames of one client: a token bucket in memory, because a connection belongs to one process."""

BURST_S = 2.0  # of the rate: the size of the bucket
FLOOD_MAX = 100  # frames refused in a row: the client ignores the refusals


class FrameLimiter:
    """Call ``allow`` once per frame, with monotonic seconds."""

    def __init__(self, per_second: float, now_s: float) -> None:
        self._per_second, self._tokens, self._filled_s = per_second, max(1.0, per_second * BURST_S), now_s
        self._capacity = self._tokens
        self._refused = 0

    def allow(self, now_s: float) -> bool:
        """Take a token for one frame; False without one."""
        self._tokens = min(self._capacity, self._tokens + (now_s - self._filled_s) * self._per_second)
        self._filled_s = now_s
        if self._tokens < 1:
            self._refused += 1
            return False
        self._tokens -= 1
        self._refused = 0
        return True

    @property
    def is_flooding(self) -> bool:
        """The client goes on sending although its frames are refused."""
        return self._refused >= FLOOD_MAX

    @property
    def wait_s(self) -> float:
        """Until the next frame is allowed."""
        return max(0.0, (1 - self._tokens) / self._per_second)
