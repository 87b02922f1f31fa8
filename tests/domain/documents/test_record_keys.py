"""Record keys as names of documents, on the real table: which documents a key names, whatever was compacted, repeated or rebuilt."""

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from domain.documents.record_keys import RECORD_KEYS, RecordKeys, hash_key
from domain.documents.topics import DOCUMENTS_ALIASED
from schemas.documents import Document, DocumentSubmitted, InboxRecord
from streams.log.outgoing import LogOffset
from streams.tables.projection import Tables
from tests.support.ports import RememberingPublisher, header

pytestmark = pytest.mark.stack
KEYS = ("a", "b", "d1")
WRITES = st.lists(st.tuples(st.sampled_from(["d1", "d2", "d3"]), st.sampled_from(KEYS)), max_size=12)


@pytest.fixture
def tables(redis: RedisClient, prefix: str) -> Tables:
    return Tables(redis, prefix, (RECORD_KEYS,))


def written(document: str, key: bytes, base: str = "kb", tenant: str = "acme") -> DocumentSubmitted:
    record = InboxRecord(at_ms=1, partition=0, offset=1, key_sha256=hash_key(key, document))
    data = Document(knowledge_base_id=base, document_id=document, title="t", text="x", origin="inbox", record=record)
    return DocumentSubmitted(**header("s", f"{tenant}/{base}/{document}", tenant), data=data)


async def under(keys: RecordKeys, key: bytes, base: str = "kb", tenant: str = "acme") -> set[str]:
    return {each async for some in keys.documents_under(tenant, base, key) for each in some}


async def test_a_key_names_every_document_under_it_and_no_other_tenants(tables: Tables) -> None:
    """Neither another knowledge base's. The document whose id the key is has no entry; nothing is written twice."""
    keys, publisher = RecordKeys(tables), RememberingPublisher()
    both = [
        written("s1", b"k"),
        written("s2", b"k"),
        written("k", b"k"),
        written("s1", b"k", base="kb2"),
        written("s3", b"k", tenant="eve"),
    ]
    await keys.remember(both, "admit", publisher)
    assert (await under(keys, b"k"), await under(keys, b"k", "kb2"), await under(keys, b"k", tenant="eve")) == (
        {"s1", "s2"},
        {"s1"},
        {"s3"},
    )
    assert await under(keys, b"other") == await under(keys, b"") == set()
    sent = len(publisher.sent)
    await keys.remember(both, "admit", publisher)
    assert len(publisher.sent) == sent == 4


async def test_more_documents_than_a_page(tables: Tables) -> None:
    keys, names = RecordKeys(tables), {f"s{n}" for n in range(2_100)}
    await keys.remember([written(name, b"\x00\x2a\xff") for name in sorted(names)], "admit", RememberingPublisher())
    assert await under(keys, b"\x00\x2a\xff") == names


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES)
async def test_what_compaction_leaves_says_the_same(redis: RedisClient, prefix: str, writes: list[tuple[str, str]]) -> None:
    """A document's name is the key of its last record: of all events as of the last one of each document, in a table made anew."""
    tables = [Tables(redis, f"{prefix}:{uuid.uuid4().hex}", (RECORD_KEYS,)) for _ in range(3)]
    publisher = RememberingPublisher()
    for document, key in writes:
        await RecordKeys(tables[0]).remember([written(document, key.encode())], "admit", publisher)
    log = [(sent.event, LogOffset(DOCUMENTS_ALIASED.name, 0, offset)) for offset, sent in enumerate(publisher.sent, start=1)]
    await tables[1].apply_many(log)
    await tables[2].apply_many([*{event.subject: (event, offset) for event, offset in log}.values()])
    last = dict(writes)
    for table in tables:
        for key in KEYS:
            expected = {document for document, of in last.items() if of == key and document != key}
            assert await under(RecordKeys(table), key.encode()) == expected
