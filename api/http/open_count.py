"""How many of something are open in this process: event streams, WebSocket connections, uploads."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Gauge

from schemas.errors import Unavailable

RETRY_AFTER_S = 2.0


class OpenCount:
    """At most ``count_max`` at once; ``gauge`` shows how many. ``what`` names them in the refusal, such as "event streams"."""

    def __init__(self, gauge: Gauge, count_max: int, what: str) -> None:
        self._gauge, self._count_max, self._what = gauge, count_max, what
        self.count = 0

    def check_capacity(self) -> None:
        """Unavailable("overloaded") while this process has as many as it may have."""
        if self.count >= self._count_max:
            raise Unavailable("overloaded", f"all {self._what} of this process are taken", retry_after_s=RETRY_AFTER_S)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count one for as long as the block lasts."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self.count += by
        self._gauge.set(self.count)


class AccountCount:
    """The same by account; an account with none takes no memory."""

    def __init__(self) -> None:
        self._by_account: Counter[str] = Counter()

    def __getitem__(self, account_id: str) -> int:
        return self._by_account[account_id]

    @property
    def total(self) -> int:
        """Of all accounts."""
        return self._by_account.total()

    def add(self, account_id: str) -> None:
        """One more."""
        self._by_account[account_id] += 1

    def remove(self, account_id: str) -> None:
        """One less."""
        self._by_account[account_id] -= 1
        if not self._by_account[account_id]:
            del self._by_account[account_id]
