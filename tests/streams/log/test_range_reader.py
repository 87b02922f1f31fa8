"""A range of a partition is read once, in order, and no further than it ends."""

from collections.abc import Awaitable, Callable

import pytest

from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import LogRecord, RangeReader
from streams.log.reader import BATCH_MAX, open_log_reader

TOPIC = DOCUMENTS_PROGRESSED
COUNT = BATCH_MAX + 20  # more than one batch


@pytest.fixture
async def written(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> list[LogRecord]:
    """What partition 1 holds."""
    await topics(TOPIC)
    publisher = KafkaPublisher(kafka_settings, topics=(TOPIC,))
    await publisher.start()
    for number in range(COUNT):
        await publisher.publish_raw(publisher.physical_name(TOPIC), b"k" if number % 2 else b"l", str(number).encode(), {}, partition=1)
    await publisher.stop()
    return [LogRecord(number, str(number).encode(), b"k" if number % 2 else b"l") for number in range(COUNT)]


@pytest.mark.stack
async def test_a_range_is_read_in_order(kafka_settings: KafkaSettings, written: list[LogRecord]) -> None:
    """From ``start`` up to ``stop``, or to the present end; an empty range gives nothing."""
    reader = RangeReader(kafka_settings, TOPIC)
    for start, stop in ((0, None), (3, 7), (COUNT - 5, COUNT + 100), (5, 5), (9, 2), (COUNT, None)):
        assert [record async for record in reader.records(1, start, stop)] == written[start:stop]
    assert [record async for record in reader.records(0, 0)] == []


@pytest.mark.stack
async def test_a_reader_reads_ranges_records_and_bounds(kafka_settings: KafkaSettings, written: list[LogRecord]) -> None:
    """The same records, several reads with one connection."""
    async with open_log_reader(kafka_settings) as reader:
        place = reader.topic_partition(TOPIC, 1)
        assert (await reader.bounds([place]))[place] == (0, COUNT)
        some = await reader.read_range(place, 2, COUNT)
        assert [record.value for record in some] == [record.value for record in written[2:]]
        some = await reader.read_range(place, 2, COUNT, at_most=3)
        assert [record.offset for record in some] == [2, 3, 4]
        batches = [len(batch) async for batch in reader.batches(place, 0, COUNT)]
        assert (sum(batches), max(batches) <= BATCH_MAX) == (COUNT, True)
        first, record = await reader.read_first(place, 4, 9), await reader.read_record(place, 6)
        assert (first and first.offset, record and record.value) == (4, b"6")
        assert await reader.read_record(place, COUNT) is None
        assert await reader.read_first(place, 4, 4) is None


async def test_a_broker_that_is_away_is_an_error() -> None:
    """Raised to whoever reads."""
    with pytest.raises(Unavailable, match="log cannot be read"):
        await anext(RangeReader(KafkaSettings(bootstrap="127.0.0.1:1"), TOPIC).records(0, 0))
