"""Offsets after a restore, for every shape of a partition."""

from hypothesis import given
from hypothesis import strategies as st

from ops.backup.frames import LogEntry
from ops.backup.padding import Gap, with_gaps


def entry(offset: int) -> LogEntry:
    return LogEntry(offset, 1_000 + offset, b"k", b"v")


@given(st.sets(st.integers(0, 300)), st.integers(0, 50))
def test_every_offset_is_written_once_and_every_record_at_its_own(offsets: set[int], behind: int) -> None:
    end = max(offsets, default=-1) + 1 + behind
    position, written = 0, []
    for each in with_gaps(map(entry, sorted(offsets)), end):
        if isinstance(each, Gap):
            assert (each.first, each.count > 0) == (position, True)
            position += each.count
        else:
            assert each.offset == position
            written.append(each.offset)
            position += 1
    assert (position, written) == (end, sorted(offsets))


def test_padding_has_the_time_of_a_record_beside_it() -> None:
    """Retention goes by the newest time of a segment, and a search by time finds no padding between two records."""
    gaps = [each for each in with_gaps([entry(3), entry(7)], 9) if isinstance(each, Gap)]
    assert gaps == [Gap(0, 3, 1_003), Gap(4, 3, 1_007), Gap(8, 1, 1_007)]


def test_a_partition_without_records() -> None:
    assert list(with_gaps([], 0)) == []
    assert list(with_gaps([], 5)) == [Gap(0, 5, 0)]
