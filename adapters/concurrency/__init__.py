"""How many calls to a model are in flight, over all processes together: a permit each, under a lease in Redis."""

from adapters.concurrency.choose import ConcurrencyLimits
from adapters.concurrency.port import UNLIMITED, ConcurrencyLimit, Permit, Priority

__all__ = ["UNLIMITED", "ConcurrencyLimit", "ConcurrencyLimits", "Permit", "Priority"]
