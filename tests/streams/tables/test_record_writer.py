"""Records: check, publish and write-through are one for everybody else; without Redis nothing is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from adapters.redis.client import RedisClient, connect
from domain.chats.topics import CONVERSATIONS_CHANGED
from domain.read_models import ReadModels
from schemas.errors import Unavailable
from schemas.records import Conversation, ConversationChanged
from schemas.settings import RedisSettings, Settings
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from streams.tables import record_writer as module
from streams.tables.record_writer import RecordWriter

pytestmark = pytest.mark.stack
NOON = datetime(2026, 1, 1, tzinfo=UTC)


def renamed(revision: int) -> Outgoing:
    data = Conversation(id="c", tenant="t", user_id="u", title=f"r{revision}", created_at=NOON, updated_at=NOON, revision=revision)
    event = ConversationChanged(id=f"e{revision}", source="/claw/test", subject="c", time=NOON, tenant="t", traceparent="", data=data)
    return Outgoing(CONVERSATIONS_CHANGED, event)


async def test_no_update_is_lost(redis: RedisClient, prefix: str, settings: Settings, topics: Callable[..., Awaitable[None]]) -> None:
    """Twelve callers read, add one and write, on a real log: the record ends at twelve."""
    await topics(CONVERSATIONS_CHANGED)
    publisher = KafkaPublisher(settings.kafka, topics=(CONVERSATIONS_CHANGED,))
    await publisher.start()
    views = ReadModels(redis, prefix)
    records = RecordWriter(redis, prefix, publisher, views, SystemClock())

    async def rename() -> None:
        async with records.lease("conversation/c"):
            known = await views.conversations.get("t/u", "c")
            (place,) = await records.change(renamed((known.revision if known else 0) + 1))
            assert place.topic.endswith(CONVERSATIONS_CHANGED.name)

    await asyncio.gather(*(rename() for _ in range(12)))
    found = await views.conversations.get("t/u", "c")
    assert found is not None
    assert (found.revision, found.title) == (12, "r12")
    await publisher.stop()


class Never:
    async def publish_all(self, outgoing: object) -> None:
        raise AssertionError("nothing may be published")


def unpublished(redis: RedisClient, prefix: str) -> RecordWriter:
    return RecordWriter(redis, prefix, Never(), ReadModels(redis, prefix), SystemClock())  # type: ignore[arg-type]


async def test_waiting_and_holding_are_bounded(redis: RedisClient, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second caller gives up in time, a slow holder is stopped before its lease ends, and another entity is free."""
    monkeypatch.setattr(module, "WAIT_S_MAX", 0.1)
    monkeypatch.setattr(module, "HELD_S_MAX", 0.3)
    records = unpublished(redis, prefix)

    async def hold() -> None:
        async with records.lease("a"):
            async with records.lease("b"):
                pass
            with pytest.raises(Unavailable, match=r"^overloaded$") as waited:
                await records.lease("a").__aenter__()
            assert waited.value.code == "overloaded"
            await asyncio.sleep(5)

    with pytest.raises(Unavailable) as held:
        await hold()
    assert held.value.code == "overloaded"
    async with records.lease("a"):  # released
        pass


async def test_a_release_leaves_the_lease_of_somebody_else(redis: RedisClient, prefix: str) -> None:
    """Whoever was too slow must not free what is another's by now."""
    records = unpublished(redis, prefix)
    async with records.lease("a"):
        await redis.set(f"{prefix}:record-lease:{{a}}", "another token")
    assert await redis.get(f"{prefix}:record-lease:{{a}}") == b"another token"
    with pytest.raises(ValueError, match="mine"):
        async with records.lease("b"):
            raise ValueError("mine")
    assert await redis.get(f"{prefix}:record-lease:{{b}}") is None


async def test_without_redis_nothing_is_published() -> None:
    """Neither with a lease nor past it."""
    redis = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    records = unpublished(redis, "p")
    with pytest.raises(Unavailable):
        async with records.lease("a"):
            raise AssertionError("nobody may be in")
    with pytest.raises(Unavailable):
        await records.change(renamed(1))
    await redis.aclose()
