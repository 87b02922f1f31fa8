"""How long a repeat waits: long enough to help, and not longer than the outage lasts."""

import pytest

from schemas.errors import Unavailable
from streams.runtime.retries import BACKOFF_S_MAX, outage_backoff_s


@pytest.mark.parametrize(
    ("code", "longest_s"), [("redis_unavailable", 1.0), ("kafka_unavailable", 1.0), ("index_unavailable", BACKOFF_S_MAX)]
)
def test_an_outage(code: str, longest_s: float):
    """Redis and the log are asked once a second by their clients, so that what waits for them goes on within a second of their return."""
    pauses = [outage_backoff_s(Unavailable(code, retry_after_s=0.5), tries) for tries in range(1, 40)]
    assert min(pauses) >= 0.5
    assert longest_s / 2 <= max(pauses) <= longest_s
