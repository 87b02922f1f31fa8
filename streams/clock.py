"""The real clock; tests bring their own."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``streams.runtime.agent.Clock``."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
