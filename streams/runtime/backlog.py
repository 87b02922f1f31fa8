"""Whose events wait, and how many turns go before one tenant's.

Workers report it (``worker_registry.py``), so that an estimate follows from the turns that tenants take, and not from everything that one
of them has queued.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from msgspec import Struct, field

from adapters.fairness import Weight

LISTED_MAX = 32  # tenants with the most events, by name; of the others only the sums


class Backlog(Struct, frozen=True, kw_only=True):
    """The events that an agent has read and not done: of the ``tenants`` with the most, and of all others together."""

    tenants: dict[str, int] = field(default_factory=dict)
    others: int = 0
    others_count: int = 0  # tenants

    @classmethod
    def of(cls, events: Mapping[str, int]) -> Self:
        """From the events of each tenant."""
        most = Counter(events).most_common()
        rest = most[LISTED_MAX:]
        return cls(tenants=dict(most[:LISTED_MAX]), others=sum(count for _, count in rest), others_count=len(rest))

    @classmethod
    def sum(cls, backlogs: Iterable["Backlog"]) -> Self:
        """Of all workers together."""
        tenants: Counter[str] = Counter()
        others = others_count = 0
        for backlog in backlogs:
            tenants.update(backlog.tenants)
            others, others_count = others + backlog.others, others_count + backlog.others_count
        return cls(tenants=dict(tenants), others=others, others_count=others_count)

    def turns_before(self, tenant: str, waiting: int, weight: Weight, *, new: bool) -> int:
        """How many of ``waiting`` events go before the tenant's ``new`` one; if not new, before its last one, and with that.

        ``waiting`` may be fewer than all events, or more (some were not read yet): each tenant is taken to have its share of them.
        """
        total = sum(self.tenants.values()) + self.others
        if waiting <= 0 or total <= 0:
            return max(waiting, 0)
        scale = waiting / total
        own = self.tenants.get(tenant, 0) * scale
        turns = (own + 1 if new else max(own, 1.0)) / weight(tenant)
        before = sum(min(count * scale, turns * weight(name)) for name, count in self.tenants.items() if name != tenant)
        before += min(self.others * scale, turns * self.others_count)
        return min(waiting, max(1, round(own + before if new else max(own, 1.0) + before)))
