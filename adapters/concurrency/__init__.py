"""How many calls to a model are in flight, over all processes together: a permit each, under a lease in Redis."""

from adapters.concurrency.choose import Gates
from adapters.concurrency.port import OPEN, Gate, Permit, Priority

__all__ = ["OPEN", "Gate", "Gates", "Permit", "Priority"]
