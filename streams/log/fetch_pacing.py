"""Pauses between fetches, so that records that arrive meanwhile share one.

A fetch costs a consumer 0.15 to 0.5 ms (with the partitions it names), and the broker as much, whatever it brings. aiokafka sends the next
one as soon as the last was read, and the broker answers it with the first record that comes; a slow reader therefore gets records
one by one all the same. Here the fetch itself waits. After an idle time it is at the broker already, so a single record is not delayed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer


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
