"""Topic administration against the real broker."""

from dataclasses import replace

import msgspec
import pytest

from domain.areas import TOPICS
from domain.chats.topics import CHATS_ANSWERED
from domain.documents.topics import DOCUMENTS_SUBMITTED, inbox_topic
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from ops.commands import topics as administration
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import KafkaSettings, Settings
from streams.topics import DEAD_LETTERS


@pytest.fixture
async def some(kafka_settings: KafkaSettings, topics):
    """Three topics of different kinds, created by ``apply``."""
    wanted = (DOCUMENTS_SUBMITTED, CHATS_ANSWERED, DEAD_LETTERS)
    await topics(*wanted)
    return wanted


async def test_apply_creates_and_then_finds_nothing_to_do(kafka_settings: KafkaSettings, some):
    assert await administration.check(kafka_settings, some) == []
    assert await administration.apply(kafka_settings, some) == []


async def test_check_reports_what_is_missing_without_creating_it(kafka_settings: KafkaSettings):
    first = await administration.check(kafka_settings, [inbox_topic("acme")])
    assert [(drift.kind, drift.topic) for drift in first] == [("missing", kafka_settings.topic_prefix + "claw.inbox.acme.v1")]
    assert await administration.check(kafka_settings, [inbox_topic("acme")]) == first


async def test_apply_corrects_configuration_and_keeps_what_operators_set(kafka_settings: KafkaSettings, some):
    changed = replace(DEAD_LETTERS, retention_ms=1000)
    await administration.apply(kafka_settings, [changed])
    (drift,) = await administration.check(kafka_settings, some)
    assert "retention.ms is 1000, should be 2592000000" in str(drift)
    assert await administration.apply(kafka_settings, some) == [drift]
    assert await administration.check(kafka_settings, some) == []


async def test_a_partition_count_never_changes(kafka_settings: KafkaSettings, some):
    other = msgspec.structs.replace(kafka_settings, partitions=8)
    with pytest.raises(ConfigurationError, match=r"claw\.documents\.submitted\.v1: has 4 partitions.*CLAW_KAFKA_PARTITIONS=4"):
        await administration.apply(other, [*some, inbox_topic("late")])
    assert [drift.kind for drift in await administration.check(kafka_settings, [inbox_topic("late")])] == ["missing"], (
        "a refusal changes nothing"
    )


async def test_a_topic_that_is_rarely_written_keeps_the_partitions_it_was_created_with(kafka_settings: KafkaSettings, topics):
    """Before it had one, it had as many as the others."""
    before = replace(KNOWLEDGE_CHANGED, count="keyed")
    await topics(before)
    assert KNOWLEDGE_CHANGED.partitions(kafka_settings) == 1 < before.partitions(kafka_settings)
    assert await administration.check(kafka_settings, [KNOWLEDGE_CHANGED]) == []
    assert await administration.apply(kafka_settings, [KNOWLEDGE_CHANGED]) == []


async def test_a_broker_out_of_reach_is_unavailable():
    with pytest.raises(Unavailable):
        await administration.check(KafkaSettings(bootstrap="127.0.0.1:1"), TOPICS)


async def test_the_catalogue_has_an_inbox_per_tenant(settings: Settings):
    names = {topic.name for topic in administration.catalogue(settings)}
    assert "claw.inbox.default.v1" in names
    assert len(names) == len(TOPICS) + 1
