"""Partitions read backwards: every record once, by time, and a second reader goes on exactly where the first one stopped."""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka import TopicPartition
from streams.log.backward import BackwardReader


@dataclass(frozen=True)
class Stored:
    partition: int
    offset: int
    timestamp: int


class Partitions:
    """A log in memory; offsets of a partition may have gaps."""

    def __init__(self, records: list[Stored]) -> None:
        self.records = records

    async def read_range(self, place: TopicPartition, begin: int, end: int) -> list[Stored]:
        return [each for each in self.records if each.partition == place.partition and begin <= each.offset < end]


@st.composite
def logs(draw: st.DrawFn) -> list[Stored]:
    found = []
    for partition in range(draw(st.integers(1, 3))):
        at = 0
        for offset in sorted(draw(st.sets(st.integers(0, 40), max_size=12))):
            at += draw(st.integers(1, 5))
            found.append(Stored(partition, offset, at))
    return found


@given(logs(), st.integers(1, 7), st.integers(1, 9))
def test_every_record_once_newest_first(records: list[Stored], window: int, page: int) -> None:
    async def read() -> list[Stored]:
        log: Any = Partitions(records)
        before, found = {0: 99, 1: 99, 2: 99}, list[Stored]()
        while True:
            bounds = {TopicPartition("t", partition): (0, end) for partition, end in before.items()}
            reader = BackwardReader(log, bounds, window)
            for _ in range(page):
                record: Any = await reader.pop()
                if record is None:
                    assert reader.is_at_end
                    return found
                found.append(record)
            before = reader.before

    found = asyncio.run(read())
    assert sorted(found, key=lambda each: (each.partition, each.offset)) == sorted(records, key=lambda each: (each.partition, each.offset))
    assert [each.timestamp for each in found] == sorted((each.timestamp for each in found), reverse=True)
