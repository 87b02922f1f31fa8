"""Record tables: any order of arrival and any repeat give the same record, and pages hold still while others write."""

import asyncio
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from adapters.redis.client import RedisClient
from schemas.errors import Refused
from streams.tables import record_table
from streams.tables.record_table import Put, RecordTable, order_of

pytestmark = pytest.mark.stack
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Note(Struct, frozen=True):
    text: str


@pytest.fixture
def table(redis: RedisClient, prefix: str) -> RecordTable[Note]:
    return RecordTable(redis, prefix, "notes", Note)


def test_orders_compare_as_text() -> None:
    """Fixed width: text order is number order, part by part."""
    orders = [order_of(0, 0), order_of(0, 9), order_of(0, 10), order_of(2, 0), order_of(10, 0), order_of(10, 2**63 - 1)]
    assert orders == sorted(orders)
    with pytest.raises(ValueError, match="negative"):
        order_of(-1)


@FEW
@given(
    writes=st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.sampled_from([-2.5, 0.0, 1.0, 1e15])), min_size=1, max_size=8),
    data=st.data(),
)
async def test_any_order_and_any_repeat_give_the_same_record(
    table: RecordTable[Note], writes: list[tuple[int, bool, float]], data: st.DataObject
) -> None:
    """The highest order wins, deleted or not, and the index agrees with the record."""
    by_order = {order: (gone, rank) for order, gone, rank in writes}
    arrivals = data.draw(st.permutations([*by_order, *by_order]))
    scope = uuid.uuid4().hex
    highest = -1
    for order in arrivals:
        gone, rank = by_order[order]
        changed = await table.put(scope, "a b/ü", None if gone else Note(str(order)), order=order_of(order), rank=rank)
        assert changed == (order > highest)
        highest = max(highest, order)
    gone, _ = by_order[max(by_order)]
    expected = None if gone else Note(str(max(by_order)))
    assert await table.get(scope, "a b/ü") == expected
    assert await table.count(scope) == (0 if gone else 1)
    assert (await table.list(scope, limit=10)).items == ([] if gone else [expected])


@FEW
@given(
    ranks=st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e18, 1e18)), max_size=12),
    limit=st.integers(1, 5),
    newest=st.booleans(),
)
async def test_pages_are_in_order_and_complete(table: RecordTable[Note], ranks: list[float], limit: int, newest: bool) -> None:
    """Every record once, by rank then id, whatever the size of the page."""
    scope = uuid.uuid4().hex
    ids = [f"id{n:02}" for n in range(len(ranks))]
    for id_, rank in zip(ids, ranks, strict=True):
        await table.put(scope, id_, Note(id_), order=order_of(1), rank=rank)
    seen: list[str] = []
    cursor = ""
    for _ in range(len(ranks) + 1):
        page = await table.list(scope, limit=limit, cursor=cursor, newest_first=newest)
        seen += [note.text for note in page.items]
        cursor = page.next_cursor
        if not cursor:
            break
    expected = sorted(zip(ranks, ids, strict=True), key=lambda pair: (pair[0] + 0.0, pair[1]), reverse=newest)
    assert seen == [id_ for _, id_ in expected]


async def test_a_page_holds_still_while_others_insert_and_delete(table: RecordTable[Note]) -> None:
    """What was there is seen once; the record under the cursor may go."""
    for n in range(6):
        await table.put("s", f"n{n}", Note(f"n{n}"), order=order_of(1), rank=n)
    first = await table.list("s", limit=2)
    assert [note.text for note in first.items] == ["n5", "n4"]
    await table.put("s", "n4", None, order=order_of(2))
    await table.put("s", "new", Note("new"), order=order_of(1), rank=99)
    second = await table.list("s", limit=10, cursor=first.next_cursor)
    assert [note.text for note in second.items] == ["n3", "n2", "n1", "n0"]
    assert second.next_cursor == ""


async def test_a_cursor_of_somebody_else_is_refused(table: RecordTable[Note]) -> None:
    """A bad cursor is the caller's mistake, not ours."""
    for cursor in ("zzz", "%%%", "", "AAAA", "a" * 3000):
        if cursor:
            with pytest.raises(Refused) as caught:
                await table.list("s", limit=1, cursor=cursor)
            assert caught.value.code == "validation_failed"


async def test_poison_reads_as_missing_and_is_replaced(table: RecordTable[Note], redis: RedisClient, prefix: str) -> None:
    """Whatever lies at the key, it hides one record at most, and the next write mends it."""
    await table.put("s", "good", Note("good"), order=order_of(1))
    poisons: list[bytes] = [b"", b"garbage", b"1 2 3", b"00 \xff {", order_of(0).encode() + b' 8000000000000000 {"text": "\xff"}']
    for n, poison in enumerate(poisons):
        await table.put("s", f"bad{n}", Note("x"), order=order_of(1))
        await redis.execute_command("SET", f"{prefix}:record:{{notes:s}}:bad{n}", poison)
        assert await table.get("s", f"bad{n}") is None
    assert [note.text for note in (await table.list("s", limit=10)).items] == ["good"]
    assert await table.get_many("s", ["good", "bad0", "none"]) == {"good": Note("good")}
    for n in range(len(poisons)):
        assert await table.put("s", f"bad{n}", Note("mended"), order=order_of(1))
        assert await table.get("s", f"bad{n}") == Note("mended")


async def test_an_expired_record_leaves_the_listing(redis: RedisClient, prefix: str) -> None:
    """Redis' own expiry removes the record; the listing tidies its entry."""
    table = RecordTable(redis, prefix, "brief", Note, retention_s=60)
    for n in range(5):
        await table.put("s", f"n{n}", Note(f"n{n}"), order=order_of(1), rank=n)
    assert 0 < await redis.execute_command("PTTL", f"{prefix}:record:{{brief:s}}:n1") <= 60_000
    for n in (1, 3, 4):
        await redis.execute_command("DEL", f"{prefix}:record:{{brief:s}}:n{n}")  # as expiry does
    assert [note.text for note in (await table.list("s", limit=2)).items] == ["n2", "n0"]
    assert await table.count("s") == 2


async def test_a_closed_scope_stays_empty(table: RecordTable[Note], redis: RedisClient, prefix: str) -> None:
    """Late writes of a deleted conversation find it closed; other scopes are untouched."""
    for n in range(700):
        await table.put("gone", f"n{n}", Note("x"), order=order_of(1))
    await table.put("kept", "n", Note("x"), order=order_of(1))
    await table.close("gone")
    assert not await table.put("gone", "late", Note("late"), order=order_of(99))
    assert (await table.list("gone", limit=5)).items == []
    assert await table.get("gone", "n1") is None
    assert await table.count("kept") == 1
    forgotten: set[str] = set()
    while ids := await table.remaining_ids("gone"):
        await table.clear_remaining("gone", ids)
        forgotten |= set(ids)
    assert forgotten == {f"n{n}" for n in range(700)}
    left = [key async for key in redis.scan_iter(match=f"{prefix}:*gone*", count=1000)]
    assert left == [f"{prefix}:closed:{{notes:gone}}".encode()]
    assert (await table.is_closed("gone"), await table.is_closed("kept")) == (True, False)
    late = Put("gone", "late", Note("late"), order_of(99))
    assert await table.put_many([late, Put("kept", "m", Note("x"), order_of(1)), Put("kept", "n", Note("old"), order_of(0))]) == [late]


async def test_groups_by_rank(table: RecordTable[Note]) -> None:
    """A record that gets another rank, or goes, does so in its group, too; the groups of other scopes and names are others."""
    for n, ident in enumerate("cab"):
        await table.put_many(
            [Put("s", ident, Note("x"), order_of(1), rank=n, group="p"), Put("t", ident, Note("x"), order_of(1), group="p")]
        )
    await table.put_many([Put("s", "d", Note("x"), order_of(1), group="p2")])
    assert await table.group_members("s", ["p", "p2", "q"]) == {"p": ("c", "a", "b"), "p2": ("d",), "q": ()}
    await table.put_many([Put("s", "c", Note("y"), order_of(2), rank=9, group="p"), Put("s", "a", None, order_of(2), group="p")])
    assert await table.group_members("s", ["p"]) == {"p": ("b", "c")}
    await table.close("s")
    assert await table.group_members("s", ["p", "p2"]) == {"p": (), "p2": ()}


@FEW
@given(writes=st.sets(st.integers(0, 5), max_size=4), lifts=st.lists(st.integers(0, 9), max_size=4), data=st.data())
async def test_lifts_and_writes_in_any_order_give_the_same_place(
    redis: RedisClient, prefix: str, writes: set[int], lifts: list[int], data: st.DataObject
) -> None:
    """The newest record at the highest rank there was (those of writes grow with their order); a lift without a record shows nothing."""
    table = RecordTable(redis, prefix, "lifted", Note, lifted=lambda note, rank: Note(f"{note.text} at {rank:g}"))
    scope, moves = uuid.uuid4().hex, [*(("put", n) for n in writes), *(("lift", n) for n in lifts)]
    for kind, number in data.draw(st.permutations([*moves, *moves])):
        if kind == "lift":
            await table.raise_ranks([(scope, "a", float(number))])
        else:
            await table.put(scope, "a", Note(str(number)), order=order_of(number), rank=number)
    expected = [Note(f"{max(writes)} at {max(*writes, *lifts, 0)}")] if writes else []
    assert (await table.list(scope, limit=5)).items == expected
    assert await table.count(scope) == len(expected)


async def test_what_was_deleted_is_not_lifted(redis: RedisClient, prefix: str) -> None:
    table = RecordTable(redis, prefix, "lifted", Note, lifted=lambda note, _: note)
    await table.put("s", "a", None, order=order_of(3))
    await table.raise_ranks([("s", "a", 9.0)])
    assert not await table.put("s", "a", Note("old"), order=order_of(2))
    assert (await table.list("s", limit=5)).items == []


async def test_a_tombstone_outlives_late_writes(table: RecordTable[Note], redis: RedisClient, prefix: str) -> None:
    """A deletion keeps its order for 30 days."""
    await table.put("s", "a", None, order=order_of(7))
    assert not await table.put("s", "a", Note("late"), order=order_of(6))
    assert await redis.execute_command("PTTL", f"{prefix}:record:{{notes:s}}:a") > 29 * 86_400_000


async def test_concurrent_writers_agree(table: RecordTable[Note]) -> None:
    """Many writers at once: the highest order stands."""
    await asyncio.gather(*(table.put("s", "a", Note(str(n)), order=order_of(n), rank=n) for n in range(50)))
    assert await table.get("s", "a") == Note("49")
    assert await table.count("s") == 1


@FEW
@given(accepted=st.lists(st.booleans(), max_size=40), limit=st.integers(1, 5))
async def test_pages_of_a_filtered_list_have_every_record_once(
    table: RecordTable[Note], monkeypatch: pytest.MonkeyPatch, accepted: list[bool], limit: int
) -> None:
    """However the filter cuts them; no page reads more than its bound."""
    monkeypatch.setattr(record_table, "SCAN_BATCH", 3)
    monkeypatch.setattr(record_table, "SCAN_MAX", 9)
    scope = uuid.uuid4().hex
    await table.put_many([Put(scope, str(at), Note(f"{at} {wanted}"), order_of(1), rank=at) for at, wanted in enumerate(accepted)])
    read: list[str] = []

    def accepts(note: Note) -> bool:
        read.append(note.text)
        return note.text.endswith("True")

    found, cursor, begun = list[str](), "", 0
    while cursor or not begun:
        page = await table.list_accepted(scope, accepts, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        assert len(read) - begun <= 9
        found += [note.text for note in page.items]
        cursor, begun = page.next_cursor, len(read) or 1
    assert found == [f"{at} True" for at, wanted in enumerate(accepted) if wanted][::-1]
