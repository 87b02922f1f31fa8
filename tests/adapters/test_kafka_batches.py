"""Whatever bytes a fetch brings, aiokafka reads what is left of them, the position passes, and what is good arrives."""

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka_batches import HEADER, ScreenedRecords, screen_records
from tests.support.batches import CODEC_NUMBERS, batch, bomb, spoil, with_payload

MIB = 1_048_576


def screen(data: bytes, position: int = 0, end: int = 1_000, **limits: int) -> ScreenedRecords:
    return screen_records(data, position=position, end=end, **({"bytes_max": MIB, "expanded_bytes_max": 4 * MIB} | limits))


def read(data: bytes, position: int) -> tuple[list[bytes | None], int]:
    """The values aiokafka reads, and the offset it would fetch next."""
    records = PartitionRecords(TopicPartition("t", 0), MemoryRecords(data), [], position, None, None, False, READ_COMMITTED)
    return [record.value for record in records], records.next_fetch_offset


@pytest.mark.parametrize("codec", CODEC_NUMBERS)
def test_every_codec_comes_through(codec: str):
    values = [f"{n} {codec}".encode() * 50 for n in range(20)]
    screened = screen(batch(0, values, codec))
    assert not screened.unreadable
    assert read(screened.data, 0) == (values, 20)
    assert (screened.expanded_bytes > 0) == (codec != "none")


@pytest.mark.parametrize("how", ["checksum", "magic", "codec", "compression", "records"])
def test_a_spoiled_batch_between_two_good_ones_is_cut_out(how: str):
    spoiled = spoil(batch(3, [b"lost"] * 4), how)
    screened = screen(batch(0, [b"a", b"b", b"c"]) + spoiled + batch(7, [b"d"]))
    (found,) = screened.unreadable
    assert (found.first, found.last, found.reason, found.raw) == (3, 6, how, spoiled)
    assert read(screened.data, 0) == ([b"a", b"b", b"c", b"d"], 8)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_data_that_is_cut_short_is_cut_out(codec: str):
    whole = batch(0, [b"text " * 100] * 10, codec)

    cut = with_payload(whole, whole[HEADER.size : -9], CODEC_NUMBERS[codec])
    (found,) = screen(cut).unreadable
    assert (found.reason, found.first, found.last) == ("compression", 0, 9)


def test_a_bomb_is_cut_out_and_ends_the_fetch():
    """Of 2 KB that would be 64 MiB: at most the bound is ever in memory, and once a fetch."""
    screened = screen(bomb(0, 64 * MIB) + batch(1, [b"behind"]))
    (found,) = screened.unreadable
    assert (found.reason, found.last) == ("size", 0)
    assert len(found.raw) < 10_000
    assert read(screen(screened.data, 0).data, 0) == ([b"behind"], 2)
    many = screen(b"".join(bomb(n, 2 * MIB) for n in range(9)))
    assert len(many.unreadable) == 4, "the others are left to the next fetch"
    assert read(many.data, 0) == ([], 4)


def test_what_decompresses_to_much_is_read_in_several_fetches():
    batches = [batch(n, [bytes(600_000)], "zstd") for n in range(4)]
    first = screen(b"".join(batches), expanded_bytes_max=MIB)
    assert read(first.data, 0)[1] == 2
    assert screen(b"".join(batches), expanded_bytes_max=0).data == b""


def test_a_batch_that_is_larger_than_the_fetch_is_passed_and_a_cut_off_last_one_is_left():
    whole = batch(5, [bytes(1_000)] * 3)
    screened = screen(whole[:500], position=5)
    (found,) = screened.unreadable
    assert (found.reason, found.first, found.last) == ("layout", 5, 7)
    assert read(screened.data, 5) == ([], 8)
    followed = screen(batch(0, [b"a"] * 5) + whole[:500])
    assert not followed.unreadable
    assert read(followed.data, 0)[1] == 5


def test_offsets_of_a_header_that_cannot_be_true_are_bounded_by_what_is_known():
    """The checksum covers the last offset: a batch with another one says nothing of where it ends."""
    spoiled = bytearray(batch(3, [b"lost"] * 4))
    spoiled[23:27] = b"\x7f\xff\xff\xff"
    (found,) = screen(bytes(spoiled) + batch(7, [b"d"]), position=3).unreadable
    assert (found.first, found.last) == (3, 6)
    (alone,) = screen(bytes(spoiled), position=4).unreadable
    assert alone.last == 4, "one offset at a time"
    assert read(screen(bytes(spoiled), position=4).data, 4) == ([], 5)


def test_what_was_appended_while_the_broker_read_is_no_unreadable_batch():
    """A broker notes the end before it reads: what is behind it comes with the next fetch; it is wrong only behind that end, too."""
    data = batch(0, [b"a"] * 5) + batch(5, [b"b"]) + batch(6, [b"c"])
    early = screen(data, end=5)
    assert (early.unreadable, early.doubted, read(early.data, 0)) == ([], 5, ([b"a"] * 5, 5))
    alone = screen(data[len(early.data) :], position=5, end=5)
    assert (alone.unreadable, alone.doubted, alone.data) == ([], 5, b"")
    again = screen(data[len(early.data) :], position=5, end=7, doubted=5)
    assert (again.unreadable, again.doubted, read(again.data, 5)) == ([], -1, ([b"b", b"c"], 7))
    (found,) = screen(batch(1_000_000, [b"b"]), position=5, end=7, doubted=1_000_000).unreadable
    assert (found.reason, found.first, found.last) == ("layout", 5, 5)


def test_records_that_repeat_an_offset_are_not_lost_in_silence():
    twice = batch(0, [b"a"])
    payload = twice[61:]

    (found,) = screen(with_payload(batch(0, [b"a", b"b"]), payload + payload, 0)).unreadable
    assert found.reason == "records"


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(sorted(CODEC_NUMBERS))), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=4),
    st.integers(0, 8),
    st.integers(0, 40),
)
def test_any_bytes_are_read_without_an_error_and_passed(
    shape: list[tuple[int, str]], changes: list[tuple[int, int]], position: int, cut: int
):
    data, first = bytearray(), 0
    position = min(position, sum(count for count, _ in shape) - 1)
    for count, codec in shape:
        if first + count > position:  # a broker begins with the batch that was asked for
            data += batch(first, [f"v{first + n}".encode() * 9 for n in range(count)], codec)
        first += count
    for at, value in changes:
        data[at % len(data)] = value
    screened = screen(bytes(data[: len(data) - cut]), position, first)
    values, after = read(screened.data, position)
    assert after > position or not screened.data
    assert all(found.last >= position for found in screened.unreadable)
    if not changes and not cut:
        assert values == [f"v{n}".encode() * 9 for n in range(position, first)]
