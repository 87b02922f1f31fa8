"""Records in files."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.backup.errors import BackupDamaged
from ops.backup.frames import LENGTH, LogEntry, pack, read_entries, write_entry, write_frame

some_bytes = st.none() | st.binary(max_size=40)
entries = st.lists(
    st.builds(
        LogEntry,
        st.integers(0, 2**60),
        st.integers(-1, 2**50),
        some_bytes,
        some_bytes,
        st.lists(st.tuples(st.text(max_size=9), some_bytes), max_size=3).map(tuple),
    ),
    unique_by=lambda each: each.offset,
    max_size=6,
).map(lambda each: sorted(each, key=lambda entry: entry.offset))


def packed(*given: LogEntry) -> bytes:
    file = io.BytesIO()
    with pack(file) as writer:
        for each in given:
            write_entry(writer, each)
    return file.getvalue()


@given(entries)
def test_records_come_back_as_they_were(given: list[LogEntry]) -> None:
    assert list(read_entries(io.BytesIO(packed(*given)), "f")) == given


@settings(max_examples=50)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_a_file_that_was_cut_or_changed_is_named_or_gives_records_only(share: float, change: int) -> None:
    """No other error, whatever is in it: the hash of the manifest finds the rest."""
    whole = bytearray(packed(*(LogEntry(n, n, b"key", b"value %d" % n) for n in range(20))))
    at = int(share * len(whole))
    if change:
        whole[at] ^= change
    else:
        del whole[max(1, at) :]
    with suppress(BackupDamaged):
        assert all(isinstance(each, LogEntry) for each in read_entries(io.BytesIO(bytes(whole)), "f"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LENGTH.pack(2**31), "larger"),
        (LENGTH.pack(9) + b"short", "in the middle"),
        (b"\0", "in the middle"),
        (LENGTH.pack(1) + b"x", "is no record"),
    ],
)
def test_what_is_no_record(content: bytes, says: str) -> None:
    file = io.BytesIO()
    with pack(file) as writer:
        writer.write(content)
    with pytest.raises(BackupDamaged, match=says):
        list(read_entries(io.BytesIO(file.getvalue()), "f"))


def test_offsets_rise() -> None:
    with pytest.raises(BackupDamaged, match="offset 4 follows offset 4"):
        list(read_entries(io.BytesIO(packed(LogEntry(4, 0, None, None), LogEntry(4, 0, None, None))), "f"))


def test_equal_records_make_equal_files() -> None:
    assert packed(LogEntry(1, 2, b"k", b"v")) == packed(LogEntry(1, 2, b"k", b"v"))
    write_frame(file := io.BytesIO(), b"ab")
    assert file.getvalue() == b"\0\0\0\2ab"
