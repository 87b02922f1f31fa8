"""How many calls to a model are in flight, over all processes together: a permit each, under a lease in Redis."""

from adapters.gates.choose import Gates
from adapters.gates.port import OPEN, Gate, Permit, Priority

__all__ = ["OPEN", "Gate", "Gates", "Permit", "Priority"]
