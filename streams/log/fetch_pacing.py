"""Pauses between fetches, so that records that arrive meanwhile share one.

A fetch costs a consumer 0.15 to 0.5 ms (with the partitions it names), and the broker as much, whatever it brings. aiokafka sends the next
one as soon as the last was read, and the broker answers it with the first record that comes; a slow reader therefore gets records
one by one all the same. Here the fetch itself waits. After an idle time it is at the broker already, so a single record is not delayed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer

RECORDS_PER_S = 150.0  # a slower stream has less than one or two records in a pause of 10 ms: waiting would save no fetch
RECORDS_MAX = 16.0  # together at any time
DEBT_S_MAX = 0.5  # after a flood of records: how soon single ones are prompt again


class RecordRate:
    """Whether records come so fast that a pause gathers several: a token bucket, of which each takes one token."""

    def __init__(self) -> None:
        self._tokens, self._at_s = RECORDS_MAX, float("-inf")

    def count(self, records: int, now_s: float) -> bool:
        """True while they come fast; ``now_s`` in the loop's time, never less than before."""
        tokens = min(RECORDS_MAX, self._tokens + (now_s - self._at_s) * RECORDS_PER_S) - records
        self._tokens, self._at_s = max(tokens, -DEBT_S_MAX * RECORDS_PER_S), now_s
        return self._tokens < 0


def pace_fetches(consumer: AIOKafkaConsumer, not_before_s: Callable[[], float]) -> None:
    """Send no fetch before ``not_before_s()``, in the loop's time, which is asked for each. ``consumer`` is started."""
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no setting for this
    fetch = fetcher._proc_fetch_request  # noqa: SLF001

    async def paced(assignment: Any, node_id: int, request: Any) -> bool:
        pause_s = not_before_s() - asyncio.get_running_loop().time()
        if pause_s > 0:
            try:
                await asyncio.sleep(pause_s)
            except asyncio.CancelledError:
                return False  # as aiokafka's own: the answer is not awaited any more
        return bool(await fetch(assignment, node_id, request))

    fetcher._proc_fetch_request = paced  # noqa: SLF001
