"""W3C trace context: the correlation id that goes through every topic."""

import re
from collections.abc import Callable

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def valid_traceparent(value: str) -> bool:
    """Whether a ``traceparent`` from outside is valid and can be continued."""
    return _TRACEPARENT.fullmatch(value) is not None


def new_traceparent(random_bytes: Callable[[int], bytes]) -> str:
    """A new ``traceparent``; ``random_bytes(n)`` gives n random bytes."""
    return f"00-{random_bytes(16).hex()}-{random_bytes(8).hex()}-01"


def trace_id(traceparent: str) -> str:
    """The trace id: 32 hexadecimal digits."""
    return traceparent[3:35]
