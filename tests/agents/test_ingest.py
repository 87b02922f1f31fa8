"""What upstream systems may write, in which form, and what they are told about the rest."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.redis.client import connect
from agents.ingest import Ingest
from domain.document_caps import DocumentSize
from domain.documents.inbox import SizeLimits
from domain.documents.topics import DOCUMENTS_PROGRESSED, inbox_topic
from domain.documents.visibility import NO_VERSION
from domain.documents.visibility_replica import VisibilityReplica
from domain.read_models import ReadModels
from schemas import ids
from schemas.documents import DocumentProgressed, DocumentSubmitted, DocumentWithdrawn, InboxRecord
from schemas.errors import ClawError, Refused
from schemas.events import encode
from schemas.settings import KafkaSettings
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Outgoing, Publisher
from tests.support.no_caps import NoCaps
from tests.support.no_records import NoKeys, NoRecords
from tests.support.ports import NOW, RememberingPublisher, context

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
KNOWN = "6f1b8a52-6a5a-5d0e-9a2c-0d6ad1f1a111"
BINARY = {"ce_specversion": b"1.0", "ce_id": b"7", "ce_source": b"/wiki", "ce_type": b"saved"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def _has(tenant: str, knowledge_base: str) -> bool:
    return (tenant, knowledge_base) == ("acme", KNOWN)


@dataclass
class Folder:
    files: dict[str, bytes] = field(default_factory=dict)

    async def create(self, path: str, data: bytes) -> bool:
        fresh = path not in self.files
        self.files.setdefault(path, data)
        return fresh


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def admit(folder: Folder) -> Ingest:
    return _ingest(folder, caps=NoCaps())


def _ingest(folder: Folder, **ports: Any) -> Ingest:
    known = {"newest": NoRecords(), "record_keys": NoKeys(), **ports}
    return Ingest(has_knowledge_base=_has, blobs=folder, sizes=SizeLimits(1000, 2000), random_bytes=bytes, **known)


def _delivery(value, key=b"handbook", topic="x.claw.inbox.acme.v1", headers=None, offset=42, timestamp_ms=0) -> Delivery:
    return Delivery(place=LogOffset(topic, 1, offset), key=key, value=value, timestamp_ms=timestamp_ms, headers=headers or {})


def _event(attributes: dict[str, object] | None = None, **data: object) -> bytes:
    data = data if {"content_base64", "url"} & data.keys() else {"text": "正文", **data}
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/wiki", "type": "saved", "data": data, **(attributes or {})}).encode()


async def _document(admit: Ingest, delivery: Delivery):
    (out,) = await admit.step(delivery, context())
    assert isinstance(out.event, DocumentSubmitted)
    return out.event.data


async def test_the_tenant_is_in_the_topics_name_never_in_the_event(admit):
    """A field that anyone can write does not choose the tenant."""
    value = json.loads(_event())
    value["tenant"] = "victim"
    (out,) = await admit.step(_delivery(json.dumps(value).encode()), context())
    event = out.event
    assert isinstance(event, DocumentSubmitted)
    assert event.tenant == "acme"
    assert event.subject == ids.document_key("acme", ids.default_knowledge_base("acme"), "handbook")
    assert event.data.origin == "inbox"
    assert event.causationid == "1"


async def test_a_repeat_gives_the_same_event_and_the_same_file(admit, folder):
    """Ids and places come from the record's place, so a redelivery is recognisable and nothing piles up."""
    delivery = _delivery(_event(content_base64=base64.b64encode(b"%PDF-1.7").decode()))
    first, second = await admit.step(delivery, context()), await admit.step(delivery, context())
    assert first[0].event == second[0].event
    assert list(folder.files.values()) == [b"%PDF-1.7"]
    elsewhere = await admit.step(_delivery(delivery.value, offset=43), context())
    assert elsewhere[0].event.id != first[0].event.id
    assert len(folder.files) == 2


@pytest.mark.parametrize(
    ("key", "headers", "document", "base"),
    [
        (b"handbook", {}, "handbook", ""),
        (b"handbook", {"ce_subject": "手册".encode()}, "手册", ""),
        (None, {"ce_subject": b"handbook", "ce_knowledgebaseid": KNOWN.encode()}, "handbook", KNOWN),
    ],
)
async def test_null_deletes(admit, key, headers, document, base):
    (out,) = await admit.step(_delivery(None, key, headers=headers), context())
    assert isinstance(out.event, DocumentWithdrawn)
    assert out.event.data.document_id == document
    assert out.event.data.knowledge_base_id == base or ids.default_knowledge_base("acme")


class KnownKeys(NoKeys):
    """Two documents of acme were last written under the key ``crm-42``, a thousand under ``all``; what is remembered."""

    def __init__(self) -> None:
        self.remembered: list[str] = []

    async def remember(self, submissions: Sequence[DocumentSubmitted], agent: str, publisher: Publisher) -> None:
        self.remembered += [event.data.record.key_sha256 for event in submissions if event.data.record]

    async def documents_under(self, tenant: str, knowledge_base_id: str, key: bytes | None) -> AsyncIterator[Sequence[str]]:
        mine = (tenant, knowledge_base_id) == ("acme", ids.default_knowledge_base("acme"))
        if mine and key in (b"crm-42", b"\xff*"):
            yield ["handbook", "terms"]
            yield ["prices"]
        if mine and key == b"all":
            yield [f"d{n}" for n in range(1_500)]


def _deleted(outgoing: Sequence[Outgoing]) -> list[str]:
    return [each.event.data.document_id for each in outgoing if isinstance(each.event, DocumentWithdrawn)]


async def test_null_deletes_what_its_key_names(folder):
    """The document of that id, and all that were last written under that key; with a subject that one alone; ids follow from the record."""
    admit = _ingest(folder, caps=NoCaps(), record_keys=KnownKeys())
    delivery = _delivery(None, b"crm-42")
    outgoing = await admit.step(delivery, context())
    assert _deleted(outgoing) == ["crm-42", "handbook", "terms", "prices"]
    assert len({each.event.id for each in outgoing}) == 4
    assert [each.event.id for each in await admit.step(delivery, context())] == [each.event.id for each in outgoing]
    assert _deleted(await admit.step(_delivery(None, b"crm-42", headers={"ce_subject": b"terms"}), context())) == ["terms"]
    assert _deleted(await admit.step(_delivery(None, b"\xff*"), context())) == ["handbook", "terms", "prices"]  # a key that is no id
    assert _deleted(await admit.step(_delivery(None, b"crm-42", topic="claw.inbox.eve.v1"), context())) == ["crm-42"]
    assert _deleted(await admit.step(_delivery(None, b"crm-42", headers={"ce_knowledgebaseid": KNOWN.encode()}), context())) == ["crm-42"]
    publisher = RememberingPublisher()
    rest = await admit.step(_delivery(None, b"all"), context(publisher))
    assert sorted(_deleted([*publisher.sent, *rest])) == sorted(["all", *(f"d{n}" for n in range(1_500))])


async def test_the_key_is_remembered_where_it_is_not_the_id(folder):
    keys = KnownKeys()
    admit = _ingest(folder, caps=NoCaps(), record_keys=keys)
    await admit.step(_delivery(_event({"subject": "handbook"}), b"crm-42"), context())
    await admit.step(_delivery(_event({"subject": "handbook"}), b"handbook"), context())
    await admit.step(_delivery(_event({"subject": "handbook"}), None), context())
    assert keys.remembered == [hashlib.sha256(b"crm-42").hexdigest(), "", ""]


async def test_a_record_older_than_the_documents_newest_is_refused(folder):
    """By name, before anything is stored or remembered; a deletion by key leaves out what is newer, and is refused when all of it is."""

    class Newer(NoRecords):
        async def newest_records(self, keys: Sequence[str]) -> dict[str, InboxRecord]:
            return {key: InboxRecord(at_ms=2_000, partition=3, offset=8) for key in keys if not key.endswith("/terms")}

    keys = KnownKeys()
    admit = _ingest(folder, caps=NoCaps(), record_keys=keys, newest=Newer())
    old = [
        _delivery(_event({"subject": "handbook"}, content_base64="JVBERg=="), b"crm-42", timestamp_ms=1_000),
        _delivery(None, b"handbook", timestamp_ms=1_000),
    ]
    for delivery in old:
        with pytest.raises(Refused, match=r"partition 3, offset 8, of 1970-01-01T00:00:02.000") as refused:
            await admit.step(delivery, context())
        assert refused.value.code == "record_superseded"
        assert await admit.step(delivery, context(replayed=True)) == []
    assert (folder.files, keys.remembered) == ({}, [])
    assert _deleted(await admit.step(_delivery(None, b"crm-42", timestamp_ms=1_000), context())) == ["terms"]
    for at_ms in (0, 2_000, 3_000):
        assert _deleted(await admit.step(_delivery(None, b"handbook", timestamp_ms=at_ms), context())) == ["handbook"]


async def test_a_timestamp_in_the_future_is_now(folder):
    """Or no record would be newer for years."""
    document = await _document(_ingest(folder, caps=NoCaps()), _delivery(_event(), timestamp_ms=10**15))
    assert document.record is not None
    assert document.record.at_ms == int(NOW.timestamp() * 1000)


@pytest.mark.parametrize("content_type", [b"application/cloudevents+json; charset=UTF-8", None])
async def test_structured_mode(admit, content_type):
    headers = {"content-type": content_type} if content_type else {}
    value = _event({"subject": "by-subject", "traceparent": TRACE}, media_type="text/markdown", metadata={"a": "b"})
    (out,) = await admit.step(_delivery(value, headers=headers), context())
    assert out.event.traceparent == TRACE
    assert (out.event.data.document_id, out.event.data.text, out.event.data.media_type) == ("by-subject", "正文", "text/markdown")
    assert out.event.data.title == "by-subject"


async def test_a_file_in_structured_mode_as_a_converter_would_write_it(admit, folder):
    """``data_base64`` and ``datacontenttype`` are binary mode in JSON."""
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "datacontenttype": "application/pdf", "filename": "a.pdf"}
    document = await _document(admit, _delivery(json.dumps(event | {"data_base64": base64.b64encode(b"%PDF").decode()}).encode()))
    assert (document.media_type, document.filename, document.blob.bytes) == ("application/pdf", "a.pdf", 4)
    assert list(folder.files) == [document.blob.path]


async def test_binary_mode_with_a_file(admit, folder):
    """The value is the document itself; extensions say what a file cannot."""
    headers = BINARY | {
        "content-type": b"text/markdown; charset=gbk",
        "ce_subject": b"wiki-1",
        "ce_title": "标题".encode(),
        "ce_knowledgebaseid": KNOWN.encode(),
        "ce_filename": b"a.md",
        "traceparent": TRACE.encode(),
    }
    content = "# 发货".encode("gbk")
    (out,) = await admit.step(_delivery(content, headers=headers), context())
    document = out.event.data
    assert (document.document_id, document.title, document.knowledge_base_id, document.filename) == ("wiki-1", "标题", KNOWN, "a.md")
    assert (document.charset, document.text, document.media_type) == ("gbk", "", "text/markdown")
    assert document.blob.sha256 == hashlib.sha256(content).hexdigest()
    assert folder.files == {document.blob.path: content}
    assert out.event.traceparent == TRACE


async def test_binary_mode_with_json(admit):
    """The same ``data`` as in structured mode, the attributes in the headers."""
    value = json.dumps({"text": "正文", "metadata": {"a": "b"}}).encode()
    headers = BINARY | {"Content-Type": b"application/json", "ce_title": b"T"}
    document = await _document(admit, _delivery(value, headers=headers))
    assert (document.document_id, document.text, document.title, document.metadata) == ("handbook", "正文", "T", {"a": "b"})


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        ("正文".encode(), b"text/plain", "正文"),
        ("正文".encode("utf-8-sig"), b"text/plain; charset=UTF-8", "正文"),
        ("ab".encode("utf-16-le"), b"text/plain", ""),
        ("正文".encode("gb18030"), b"text/plain", ""),
        ("日本".encode("iso2022_jp"), b"text/plain", ""),
        (b"plain", b"text/html; charset=gbk", ""),
        (b"plain", b"application/octet-stream", ""),
        (b"x" * 1001, b"text/plain", ""),
        (b"\n" * 900, b"text/plain", ""),  # twice as long in JSON
    ],
)
async def test_valid_small_text_travels_inline_the_rest_as_a_file(admit, folder, content, content_type, text):
    document = await _document(admit, _delivery(content, headers=BINARY | {"content-type": content_type}))
    assert document.text == text
    assert list(folder.files.values()) == ([] if text else [content])
    assert (document.blob is None) == bool(text)


async def test_text_in_json_that_escapes_would_blow_up_lies_in_a_file(admit, folder):
    document = await _document(admit, _delivery(_event(text='"' * 900)))
    assert (document.text, document.charset, folder.files[document.blob.path]) == ("", "utf-8", b'"' * 900)


def _structured(content_type: str, **members: object) -> bytes:
    said = {"datacontenttype": content_type} if content_type else {}
    return json.dumps({"specversion": "1.0", "id": "7", "source": "/wiki", "type": "saved", **said, **members}, ensure_ascii=False).encode()


@pytest.mark.parametrize("content_type", ["text/markdown", "Text/Markdown; Charset=UTF-8", "text/csv", "text/html;charset=gbk"])
async def test_a_text_in_data_is_the_file_that_binary_mode_has_as_its_value(admit, content_type):
    text = "# 仓库\n\n在南门。"
    structured = await _document(admit, _delivery(_structured(content_type, data=text)))
    binary_type = content_type.replace("gbk", "utf-8").encode()  # JSON is Unicode: its text has no charset any more
    binary = await _document(admit, _delivery(text.encode(), headers=BINARY | {"content-type": binary_type}))
    assert structured == binary
    assert structured.text == text


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.acme.page+json", "text/json", ""]
)
async def test_json_is_json_in_every_form(admit, content_type):
    """``+json``, upper case, parameters, nothing said; structured, base64 and binary; the type in either header; a byte order mark."""
    data = {"title": "仓库", "text": "在南门。"}
    raw = json.dumps(data, ensure_ascii=False).encode()
    expected = await _document(admit, _delivery(_structured(content_type, data=data)))
    given = [
        _delivery(_structured(content_type, data_base64=base64.b64encode(raw).decode())),
        _delivery(b"\xef\xbb\xbf" + _structured(content_type, data=data)),
        *(_delivery(value, headers=BINARY | {"content-type": content_type.encode()}) for value in (raw, b"\xef\xbb\xbf" + raw)),
        _delivery(raw, headers=BINARY | {"ce_datacontenttype": content_type.encode()}),
        _delivery(
            raw, headers={f"CE-{name[3:].title()}": value for name, value in BINARY.items()} | {"Content-Type": content_type.encode()}
        ),
    ]
    assert [await _document(admit, delivery) for delivery in given] == [expected] * len(given)
    assert (expected.title, expected.text) == ("仓库", "在南门。")


@pytest.mark.parametrize(
    "members", [{"data": "# 仓库\n\n在南门。"}, {"data_base64": base64.b64encode("# 仓库\n\n在南门。".encode()).decode()}]
)
async def test_the_type_that_an_sdk_takes_out_of_the_event_is_read_from_the_header(admit, members):
    """CloudEvents' SDK for Python up to 1.x writes structured events like that."""
    taken = await _document(admit, _delivery(_structured("", **members), headers={"content-type": b"text/markdown"}))
    assert taken == await _document(admit, _delivery(_structured("text/markdown", **members)))
    assert taken.media_type == "text/markdown"


async def test_json_in_another_charset(admit):
    raw = json.dumps({"text": "在南门。"}, ensure_ascii=False).encode("gb18030")
    document = await _document(admit, _delivery(raw, headers=BINARY | {"content-type": b"application/json; charset=GB18030"}))
    assert document.text == "在南门。"
    structured = _event().decode().encode("utf-16")
    document = await _document(admit, _delivery(structured, headers={"content-type": b"application/cloudevents+json; charset=utf-16"}))
    assert document.text == "正文"


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (_structured("application/json", data="text"), "data: "),
        (_structured("", data="text"), "data: "),
        (_structured("application/pdf", data="%PDF"), "data: "),
        (_structured("text/x-made-up", data="text"), "datacontenttype: "),
    ],
)
async def test_a_text_of_another_type_is_refused_by_name(admit, value, named):
    with pytest.raises(Refused) as refused:
        await admit.step(_delivery(value), context())
    assert refused.value.detail.startswith(named)


async def test_a_page_to_fetch(admit):
    document = await _document(admit, _delivery(_event(url="https://example.com/a?b=c")))
    assert (document.url, document.text, document.blob, document.media_type) == ("https://example.com/a?b=c", "", None, "")


PDF = {"content-type": b"application/pdf"}


@pytest.mark.parametrize(
    ("value", "key", "headers", "code", "named"),
    [
        (b"not json", b"k", {}, "event_malformed", "CloudEvent"),
        (b"\xff\xfe", b"k", {}, "event_malformed", ""),
        (b"", b"k", {}, "event_malformed", "CloudEvent"),
        (b"[" * 100_000, b"k", {}, "event_malformed", "docs/upstream.md"),
        (_event(document_id="a\u2028b"), b"k", {}, "event_malformed", "data.document_id"),
        (_event(tenant="x"), b"k", {}, "event_malformed", "tenant"),
        (_event(text=""), b"k", {}, "event_malformed", "data.text"),
        (_event(text="x" * 1001), b"k", {}, "document_too_large", "1000 bytes"),
        (_event(text="x", url="https://a.example"), b"k", {}, "event_malformed", "text and url exclude each other"),
        (_event({"data": {"title": "x"}}), b"k", {}, "event_malformed", "exactly one of text, content_base64, url"),
        (_event({"data_base64": "eA=="}), b"k", {}, "event_malformed", "data_base64"),
        (_event({"data": "text"}), b"k", {}, "event_malformed", "data: a string is read as the file only with a text type"),
        (_event(media_type="video/mp4"), b"k", {}, "document_type_unsupported", "application/pdf"),
        (_event(media_type="application/pdf"), b"k", {}, "document_type_unsupported", "data.content_base64"),
        (_event(content_base64="?"), b"k", {}, "event_malformed", "data.content_base64"),
        (_event(content_base64=base64.b64encode(bytes(2001)).decode()), b"k", {}, "document_too_large", "2000 bytes"),
        (_event(url="ftp://a.example"), b"k", {}, "event_malformed", "data.url"),
        (_event(url="https://me:secret@a.example"), b"k", {}, "url_refused", "not encrypted"),
        (_event(url="https://"), b"k", {}, "url_refused", "host"),
        (_event(text="x", password="hunter2"), b"k", {}, "event_malformed", "data.password: records on a topic are not encrypted"),
        (_event({"password": None}), b"k", {}, "event_malformed", "HTTP upload"),
        (_event(document_id="a/b"), b"k", {}, "event_malformed", "document_id"),
        (_event(metadata={"k": "x" * 1001}), b"k", {}, "event_malformed", "data.metadata"),
        (_event(metadata={"k" * 101: "x"}), b"k", {}, "event_malformed", "data.metadata"),
        (_event({"subject": "a/b"}), b"k", {}, "event_malformed", "subject"),
        (_event({"subject": ".."}), b"k", {}, "event_malformed", "it is a step of a path"),
        (_event(), None, {}, "event_malformed", "key"),
        (_event(), b"a/b", {}, "event_malformed", "not . or ..; it has a slash; any key will do when the event has a subject"),
        (
            _event(),
            b"a" * 201,
            {},
            "event_malformed",
            "the key must name the document: 1-200 printable characters, no slash, not . or ..; it has 201",
        ),
        (_event({"subject": 7}), b"k", {}, "event_malformed", "subject"),
        (_event(document_id=""), b"", {}, "event_malformed", "document_id"),
        (_event(), b"\xff", {}, "event_malformed", "key"),
        (b"\0\0\0\0\5" + _event(), b"k", {}, "event_malformed", "schema registry"),
        (_structured("application/json", data='{"text": "x"}'), b"k", {}, "event_malformed", "send the object itself"),
        (_event(), "a\u2028b".encode(), {}, "event_malformed", "printable"),
        (_event(knowledge_base_id=ids.default_knowledge_base("other")), b"k", {}, "not_found", "knowledge_base_id"),
        (_event().replace(b'"1.0"', b'"0.3"'), b"k", {}, "event_malformed", "specversion"),
        (_event(), b"k", {"content-type": b"application/cloudevents-batch+json"}, "event_malformed", "batches"),
        (b"x", b"k", BINARY, "document_type_unsupported", "content-type: is required"),
        (b"x", b"k", BINARY | {"content-type": b"video/mp4"}, "document_type_unsupported", "video/mp4 is not read"),
        (b"", b"k", BINARY | PDF, "document_empty", "null value deletes"),
        (b"x" * 2001, b"k", BINARY | PDF, "document_too_large", "2000 bytes"),
        (b"x", b"k", {**BINARY, **PDF, "ce_specversion": b"0.3"}, "event_malformed", "ce_specversion"),
        (b"x", b"k", {"ce_id": b"1", **PDF}, "event_malformed", "specversion"),
        (b"x", b"k", {**BINARY, **PDF, "ce_password": b"x"}, "event_malformed", "ce_password"),
        (b"x", b"k", {**BINARY, **PDF, "ce_title": b"\xff"}, "event_malformed", "ce_title"),
        (b"x", b"k", {**BINARY, **PDF, "ce_knowledgebaseid": b"a/b"}, "event_malformed", "ce_knowledgebaseid"),
        (None, b"k", {"ce_knowledgebaseid": b"other"}, "not_found", "knowledge_base_id"),
        (None, b"", {}, "event_malformed", "key"),
    ],
)
async def test_what_is_malformed_is_refused_by_name(admit, folder, value, key, headers, code, named):
    with pytest.raises(Refused) as refused:
        await admit.step(_delivery(value, key, headers=headers), context())
    assert refused.value.code == code
    assert named in refused.value.detail
    assert not folder.files


async def test_a_known_knowledge_base_is_taken(admit):
    (out,) = await admit.step(_delivery(_event(knowledge_base_id=KNOWN)), context())
    assert out.event.data.knowledge_base_id == KNOWN


async def test_a_topic_that_is_no_inbox_is_refused(admit):
    with pytest.raises(Refused):
        await admit.step(_delivery(_event(), topic="claw.chats.asked.v1"), context())


@pytest.mark.parametrize(
    ("value", "key", "headers", "document", "cause"),
    [
        (b"not json", b"handbook", {}, "handbook", ""),
        (_event(document_id="a-1", text=""), b"handbook", {}, "a-1", "1"),
        (_event({"subject": "by-subject"}, text=""), b"handbook", {}, "by-subject", "1"),
        (b"x", b"handbook", BINARY, "handbook", "7"),
        (b"x", None, BINARY | {"ce_subject": b"s"}, "s", "7"),
        (None, b"handbook", {"ce_knowledgebaseid": KNOWN.encode()}, "handbook", ""),
    ],
)
async def test_the_sender_is_told_what_was_refused(admit, value, key, headers, document, cause):
    """Failed, without a version: whoever reads the progress by document id learns the cause, and no version is shadowed."""
    publisher, delivery = RememberingPublisher(), _delivery(value, key, headers=headers)
    problem = ClawError("why", code="event_malformed").problem()
    (out,) = await admit.report_failure(delivery, problem, context(publisher))
    (again,) = await admit.report_failure(delivery, problem, context(publisher))
    assert again.event == out.event
    assert isinstance(out.event, DocumentProgressed)
    assert (out.event.data.document_id, out.event.data.version, out.event.data.state) == (document, NO_VERSION, "failed")
    assert (out.event.data.cause, out.event.causationid, out.event.tenant) == (problem, cause, "acme")
    assert out.key == out.event.subject + "/refused"  # or compaction would forget where the document really stands
    assert out.partition == publisher.partition_for(DOCUMENTS_PROGRESSED, out.event.subject)


@pytest.mark.parametrize(("value", "key"), [(b"not json", None), (b"{}", b"a/b"), (None, b"\xff"), (_event(document_id=7), None)])
async def test_nobody_is_told_what_names_no_document(admit, value, key):
    assert await admit.report_failure(_delivery(value, key), ClawError(code="event_malformed").problem(), context()) == []


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("inbox*.json")), ids=lambda path: path.stem)
async def test_recorded_samples_are_admitted_for_ever(admit, path):
    """Structured ones as they are; of binary ones the recording has headers, key, and value."""
    recorded = json.loads(path.read_bytes())
    if "headers" in recorded:
        headers = {name: text.encode() for name, text in recorded["headers"].items()}
        value = None if recorded["value_base64"] is None else base64.b64decode(recorded["value_base64"])
        delivery = _delivery(value, recorded["key"].encode(), headers=headers)
    else:
        delivery = _delivery(path.read_bytes(), b"key")
    (out,) = await admit.step(delivery, context())
    assert out.event.data.document_id == "article-17"


async def test_topics_of_inboxes_are_read(admit):
    agent = admit.agent((inbox_topic("acme"),))
    assert agent.raw
    assert agent.reads == (inbox_topic("acme"),)


@pytest.mark.stack
async def test_what_was_refused_changes_no_record(admit, redis_settings):
    """Neither a document that has versions nor one that never had one: readers of the tables see versions only."""
    redis = connect(redis_settings)
    views, mirror, place = ReadModels(redis, redis_settings.key_prefix), VisibilityReplica(KafkaSettings()), LogOffset("t", 0, 9)
    problem = ClawError(code="event_malformed").problem()
    (out,) = await admit.report_failure(_delivery(b"not json"), problem, context())
    progress = out.event.data
    scope = f"acme/{progress.knowledge_base_id}"
    try:
        await views.apply(out.event, place)
        assert await views.documents.get(scope, progress.document_id) is None
        indexed = msgspec.structs.replace(out.event, data=msgspec.structs.replace(progress, version=0, state="indexed"))
        await views.apply(indexed, place)
        await views.apply(out.event, place)
        assert await views.documents.get(scope, progress.document_id) == indexed.data
        mirror.fold(encode(out.event))
        assert len(mirror) == 0
    finally:
        await redis.delete(*[key async for key in redis.scan_iter(f"{redis_settings.key_prefix}:*")])
        await redis.aclose()


async def test_a_document_beyond_a_cap_is_refused_by_name(folder):
    """Before its file is stored; the record is a dead letter, and its sender reads the cause in the document's progress."""

    class Full:
        async def reserve_for_inbox(self, documents: Sequence[DocumentSize]) -> None:
            assert documents == [("acme", ids.default_knowledge_base("acme"), "handbook", 4)]
            raise Refused("documents_full", "full")

    admit = _ingest(folder, caps=Full())
    delivery = _delivery(b"%PDF", headers=BINARY | {"content-type": b"application/pdf"})
    with pytest.raises(Refused, match="full") as refused:
        await admit.step(delivery, context())
    assert not folder.files
    (out,) = await admit.report_failure(delivery, refused.value.problem(), context())
    assert (out.event.data.state, out.event.data.cause.code) == ("failed", "documents_full")
