"""Room in a record table: never more records than the cap, never fewer for want of room that is there."""

import asyncio

import pytest
from msgspec import Struct

from adapters.redis.client import RedisClient
from streams.tables.record_room import RESERVED_S, RecordRoom, Room
from streams.tables.record_table import RecordTable, order_of

pytestmark = pytest.mark.stack
NOW_S = 1_800_000_000


class Note(Struct, frozen=True):
    text: str


@pytest.fixture
def table(redis: RedisClient, prefix: str) -> RecordTable[Note]:
    return RecordTable(redis, prefix, "notes", Note)


async def test_as_many_at_once_as_there_is_room_for(redis: RedisClient, table: RecordTable[Note]) -> None:
    """Of thirty writers ten write; a repeat of one of them needs no room; a deleted record makes room."""
    room = RecordRoom(redis, table)

    async def write(name: str) -> bool:
        if not (await room.reserve("s", name, 10)).granted:
            return False
        await table.put("s", name, Note(name), order=order_of(1))
        await room.release("s", name)
        return True

    written = await asyncio.gather(*(write(f"n{n}") for n in range(30)))
    assert written.count(True) == await room.count("s") == 10
    assert await write(f"n{written.index(True)}")
    assert not await write("another")
    await table.put("s", f"n{written.index(True)}", None, order=order_of(2))
    assert await write("another")


async def test_a_written_record_does_not_count_twice(redis: RedisClient, table: RecordTable[Note]) -> None:
    """Between the write and the end of its reservation there is room for one more."""
    room = RecordRoom(redis, table)
    assert await room.reserve("s", "a", 2) == Room(granted=True, used=1)
    await table.put("s", "a", Note("a"), order=order_of(1))
    assert await room.reserve("s", "b", 2) == Room(granted=True, used=2)
    assert await room.reserve("s", "c", 2) == Room(granted=False, used=2)


async def test_a_writer_that_dies_leaves_nothing_behind(redis: RedisClient, table: RecordTable[Note]) -> None:
    room = RecordRoom(redis, table)
    assert (await room.reserve("s", "a", 1, now_s=NOW_S)).granted
    assert not (await room.reserve("s", "b", 1, now_s=NOW_S + RESERVED_S - 1)).granted
    assert (await room.reserve("s", "b", 1, now_s=NOW_S + RESERVED_S)).granted
