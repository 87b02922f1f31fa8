"""Tables made anew from a real log."""

import pytest
from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from domain.chats.topics import CONVERSATIONS_CHANGED, MESSAGES_CHANGED
from domain.configs.table_epoch import LoggedEpoch
from domain.documents.storage import Storage, StorageTotals
from domain.documents.visibility import Visibility
from domain.read_models import ReadModels
from domain.usage.counters import split_by_model, sum_models, usage_counter, user_key
from ops.commands import doctor, rebuild_tables
from schemas.errors import ConfigurationError
from streams.clock import SystemClock
from streams.log.reader import open_log_reader
from streams.tables.epoch import StoredEpoch
from tests.support.recorded_house import KB, NOW, House, T, lived

pytestmark = pytest.mark.stack


async def test_everything_is_back_and_equal(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """After Redis lost all of it: every record, listing, tombstone, sum and visibility; what a deleted conversation said stays gone."""
    await lived(house)
    before, keys = await house.contents(), [f"{T}/{KB}/{name}" for name in ("kept", "deleted", "coming")]
    visibility, counter = Visibility(house.redis, house.prefix), usage_counter(house.redis, house.prefix, house.settings.kafka.partitions)
    standing, stood = await visibility.version_states(keys), [await visibility.prior_state(key) for key in keys]
    newest = await visibility.newest_records(keys)
    spent = await counter.current(user_key(T, "a"), NOW, scale="day")
    await house.forget()
    assert await house.contents() == {}
    assert await rebuild_tables.run(house.settings, ("accounts",)) == 0
    stored, recorded = StoredEpoch(house.redis, house.prefix), LoggedEpoch(house.settings, house.publisher, SystemClock())
    assert (await stored.read(), await recorded.read()) == ("", ""), "one table is not all of them"
    assert await rebuild_tables.run(house.settings, ()) == 0
    epoch = await stored.read()
    assert epoch
    assert await recorded.read() == epoch
    after = await house.contents()
    for name in before.keys() | after.keys():
        if ":visibility:" not in name:
            assert after.get(name) == before.get(name), name
    assert (await visibility.version_states(keys), [await visibility.prior_state(key) for key in keys]) == (standing, stood)
    assert await visibility.newest_records(keys) == newest != {}
    assert await counter.current(user_key(T, "a"), NOW, scale="day") == spent
    assert sum_models(split_by_model(spent)).tokens == 45
    assert await Storage(house.redis, house.prefix).totals(T) == StorageTotals(documents=2, bytes=18 + 5, chunks=2)
    assert [each.title for each in await visibility.list_kept(keys[0])] == ["replaced"]
    assert (await ReadModels(house.redis, house.prefix).messages.list(f"{T}/gone", limit=9)).items == []
    assert "messages: 2 events, 1 of deleted conversations erased from the log" in capsys.readouterr().out
    again = await house.contents()
    await rebuild_tables.run(house.settings, ())
    assert (await house.contents(), await stored.read()) == (again, epoch)  # on tables that are whole it changes nothing
    assert "messages: 3 events, " in (out := capsys.readouterr().out)
    assert "erased from the log" not in out
    servers = house.settings.kafka.servers
    assert (await doctor.check_tables(house.settings, servers)).remedy == ""
    await house.forget()
    finding = await doctor.check_tables(house.settings, servers)
    assert finding.detail == f"lost: Redis has none, the log says {epoch[:8]}"
    assert "claw rebuild tables --all" in finding.remedy


async def test_what_a_deleted_conversation_left_on_the_log_goes(house: House) -> None:
    """Redis was lost after the deletion and before anybody wrote the tombstones: only the log still knows that there is something."""
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations", "messages"))
    async with open_log_reader(house.settings.kafka) as reader:
        places = await reader.partitions(MESSAGES_CHANGED)
        kept = {
            record.key: record.value
            for place, (begin, end) in (await reader.bounds(places)).items()
            async for batch in reader.batches(place, begin, end)
            for record in batch
        }
    assert kept[b"m"] is None
    assert b"first" in (kept[b"r"] or b"")


async def test_only_some_and_only_known_tables(house: House) -> None:
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations",))
    assert {name.split(":")[1] for name in await house.contents()} == {"record", "index", "closed"}
    with pytest.raises(ConfigurationError, match="mesages"):
        await rebuild_tables.run(house.settings, ("mesages",))


async def test_a_record_that_is_no_event_is_left_out(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in the dead letters; the rest of its partition is rebuilt."""
    producer = AIOKafkaProducer(**connection_options(house.settings.kafka))
    await producer.start()
    await producer.send_and_wait(house.settings.kafka.topic_prefix + CONVERSATIONS_CHANGED.name, b"{", key=b"c")
    await producer.stop()
    await lived(house)
    await house.forget()
    await rebuild_tables.run(house.settings, ("conversations",))
    assert "1 unreadable" in capsys.readouterr().out
    assert await ReadModels(house.redis, house.prefix).conversations.get(f"{T}/a", "c") is not None
