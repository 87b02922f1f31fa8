"""A counter's sums recomputed in memory by the rules of its script, for the comparison of an audit."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from streams.tables.counters import SEEN_MAX, Change, Counter


class CounterAudit:
    """The sums of one partition from ``begin`` on. ``next`` is the first offset that is not counted.

    Buckets that begin before ``floor_s`` may hold events past the log's retention, those that expire before ``until_s`` may be gone:
    neither is compared. Takes some 200 bytes per value.
    """

    def __init__(self, counter: Counter, *, begin: int, floor_s: int, until_s: int) -> None:
        self.next = begin
        self.events = 0
        self._counter, self._floor_s, self._until_s = counter, floor_s, until_s
        self._sums: dict[str, dict[str, int]] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, offset: int, event_id: str, changes: Sequence[Change]) -> None:
        """Count one event, unless its id is a recent repeat."""
        self.next = offset + 1
        self.events += 1
        if event_id:
            if event_id in self._seen:
                return
            self._seen[event_id] = None
            if len(self._seen) > SEEN_MAX:
                self._seen.popitem(last=False)
        for change in changes:
            for scale in self._counter.scales.values():
                part = self._counter.value_part(change.key, scale.bucket(change.at), scale.name)
                sums = self._sums.setdefault(part, {})
                for name, delta in change.fields.items():
                    sums[name] = sums.get(name, 0) + delta

    def sums(self, part: str) -> Mapping[str, int]:
        """The sums under a name; none when the log has none."""
        return self._sums.get(part, {})

    def parts(self) -> Iterable[str]:
        """Every name of a value."""
        return self._sums.keys()

    def is_comparable(self, part: str) -> bool:
        """Whether this value can be compared: the log has all of its events."""
        name, bucket, _ = self._counter.parse_value_part(part)
        expiry = self._counter.scales[name].expiry(bucket)
        return bucket >= self._floor_s and (expiry == 0 or expiry > self._until_s)
