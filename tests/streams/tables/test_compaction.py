"""The newest record of a key is its last, on the real broker: what compaction keeps is what the table shows."""

from datetime import UTC, datetime

import pytest

from domain.areas import RECORDS
from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas.documents import DocumentProgressed, Progress, State
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.tables.compaction import NewestLast
from tests.support.ports import header

pytestmark = pytest.mark.stack


def progressed(version: int, state: State, document: str = "d") -> Outgoing:
    data = Progress(knowledge_base_id="kb", document_id=document, version=version, state=state)
    event = DocumentProgressed(**{**header(f"{version}-{state}", f"acme/kb/{document}"), "time": datetime.now(UTC)}, data=data)
    return Outgoing(DOCUMENTS_PROGRESSED, event)


@pytest.fixture
async def publisher(kafka_settings, topics):
    await topics(DOCUMENTS_PROGRESSED)
    publisher = KafkaPublisher(kafka_settings, topics=[DOCUMENTS_PROGRESSED])
    await publisher.start()
    yield publisher
    await publisher.stop()


async def test_an_older_record_is_followed_by_the_newest_once_more(kafka_settings, publisher):
    """A deletion above all: after a rebuild the document would be back."""
    newest_last = NewestLast(RECORDS, lambda topic: RangeReader(kafka_settings, topic))
    written = [progressed(5, "indexed"), progressed(9, "deleted"), progressed(1, "queued", "other"), progressed(5, "indexed")]
    repairs = [await newest_last.repair(outgoing.event, await publisher.publish(outgoing)) for outgoing in written]
    assert repairs[:3] == [None] * 3
    assert repairs[3] is not None
    assert (repairs[3].event, repairs[3].topic) == (written[1].event, DOCUMENTS_PROGRESSED), "the same event with the same id"
    place = await publisher.publish(repairs[3])
    assert await newest_last.repair(repairs[3].event, place) is None, "it ends with that"


async def test_only_so_many_keys_are_remembered(kafka_settings, publisher):
    newest_last = NewestLast(RECORDS, lambda topic: RangeReader(kafka_settings, topic), keys_max=2)
    for document in ("a", "b", "c"):
        outgoing = progressed(9, "indexed", document)
        assert await newest_last.repair(outgoing.event, await publisher.publish(outgoing)) is None
    for document, is_known in (("c", True), ("b", True), ("a", False)):
        outgoing = progressed(5, "indexed", document)
        repair = await newest_last.repair(outgoing.event, await publisher.publish(outgoing))
        assert (repair is not None) == is_known
