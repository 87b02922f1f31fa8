"""Padding is hidden, and nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest

from adapters.kafka_padding import PADDING, hide_padding, is_padding


@dataclass(frozen=True)
class Record:
    value: bytes | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


PAD = Record(headers=PADDING)
OTHERS = (Record(b""), Record(key=b""), Record(), Record(b"v", headers=PADDING), Record(key=b"k", headers=PADDING))


class Fetcher:
    """Gives what it was given, one answer after the other."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def fetched_records(self, *_: Any, **__: Any) -> Any:
        return self._answers.pop(0)

    async def next_record(self, *_: Any) -> Any:
        return self._answers.pop(0)


@pytest.mark.parametrize("record", OTHERS)
def test_what_is_no_padding(record: Record) -> None:
    """A tombstone, a record that is empty, and one that carries the header only."""
    assert not is_padding(record)


async def test_reads_give_the_records_between() -> None:
    """An answer of padding alone is passed over: an empty one says that there was nothing in time."""
    fetcher = Fetcher({"a": [PAD, PAD], "b": [PAD]}, {"a": [PAD, *OTHERS, PAD], "b": [PAD]}, {})
    hide_padding(fetcher)
    assert await fetcher.fetched_records(timeout=1) == {"a": list(OTHERS)}
    assert await fetcher.fetched_records() == {}
    fetcher = Fetcher(PAD, PAD, OTHERS[0])
    hide_padding(fetcher)
    assert await fetcher.next_record(()) is OTHERS[0]
