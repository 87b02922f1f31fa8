"""The examples of docs/upstream.md, executed: kcat and Python write into a real inbox, and admit takes what they wrote."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from adapters.kafka import connection_options
from agents.ingest import Ingest
from domain.documents.inbox import SizeLimits
from domain.documents.topics import DOCUMENTS_PROGRESSED, inbox_topic
from ops.commands import inbox as command
from schemas import ids
from schemas.documents import DocumentProgressed, DocumentSubmitted, DocumentWithdrawn, Progress, Submitted
from schemas.settings import Settings
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from tests.support.kcat import require_kcat, run_script
from tests.support.no_caps import NoCaps
from tests.support.no_records import NoKeys, NoRecords
from tests.support.ports import context

pytestmark = pytest.mark.stack
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "upstream.md").read_text(encoding="utf-8")
INBOX = inbox_topic("acme")
PDF = b"%PDF-1.7\nseveral\nlines\n"


def example(heading: str) -> str:
    """The block of code whose first line has these words."""
    found: list[str] = [
        block for block in re.findall(r"```(?:sh|python)\n(.*?)```", PAGE, re.DOTALL) if heading in block.partition("\n")[0]
    ]
    (only,) = found
    return only


@dataclass
class Files:
    written: list[bytes] = field(default_factory=list)

    async def create(self, path: str, data: bytes) -> bool:
        self.written.append(data)
        return True


async def _has(tenant: str, knowledge_base: str) -> bool:
    return False


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
async def received(settings: Settings, topics, files: Files) -> AsyncIterator[Callable[[], Awaitable[Submitted]]]:
    """What admit makes of the next record in the inbox."""
    await topics(INBOX, DOCUMENTS_PROGRESSED)
    consumer = AIOKafkaConsumer(
        settings.kafka.topic_prefix + INBOX.name, **connection_options(settings.kafka), group_id=None, auto_offset_reset="earliest"
    )
    await consumer.start()
    admit = Ingest(
        has_knowledge_base=_has,
        caps=NoCaps(),
        newest=NoRecords(),
        record_keys=NoKeys(),
        blobs=files,
        sizes=SizeLimits(800_000, 1_000_000),
        random_bytes=bytes,
    )

    async def next_one() -> Submitted:
        async with asyncio.timeout(10):
            record: ConsumerRecord = await consumer.getone()
        headers = dict(record.headers)
        delivery = Delivery(LogOffset(record.topic, record.partition, record.offset), record.key, record.value, record.timestamp, headers)
        (out,) = await admit.step(delivery, context())
        assert isinstance(out.event, DocumentSubmitted | DocumentWithdrawn)
        return out.event

    yield next_one
    await consumer.stop()


async def shell(settings: Settings, folder: Path, script: str) -> str:
    """Execute an example, with the settings that `claw inbox create` prints and the password."""
    await require_kcat()
    kafka = settings.kafka
    printed = command.client_settings(kafka, "acme", f"User:{kafka.sasl_username}")
    (folder / "kafka.conf").write_text(printed.replace("CHANGE_ME", kafka.sasl_password.reveal()), encoding="utf-8")
    return await run_script(script.replace("-t claw.", f"-t {kafka.topic_prefix}claw."), folder)


async def test_kcat_writes_and_deletes(settings, tmp_path, received, files):
    """Text, a page, a file of several lines, a deletion: each arrives as what the page says it is."""
    await shell(settings, tmp_path, example("structured mode: text"))
    text = (await received()).data
    assert (text.document_id, text.title, text.media_type) == ("article-17", "Shipping", "text/markdown")
    assert text.text.startswith("# Shipping\n\nParcels")
    await shell(settings, tmp_path, example("a page to fetch"))
    assert (await received()).data.url == "https://www.example.com/terms"
    (tmp_path / "handbook.pdf").write_bytes(PDF)
    await shell(settings, tmp_path, example("binary mode: the file itself"))
    file = (await received()).data
    assert (file.document_id, file.title, file.filename, file.media_type) == (
        "handbook",
        "Staff handbook",
        "handbook.pdf",
        "application/pdf",
    )
    assert files.written == [PDF]
    await shell(settings, tmp_path, example("delete: no value"))
    gone = await received()
    assert isinstance(gone, DocumentWithdrawn)
    assert gone.data.document_id == "article-17"
    await shell(settings, tmp_path, example("another key"))
    assert (await received()).data.document_id == "returns"
    await shell(settings, tmp_path, example("delete one of the documents under a key"))
    assert (await received()).data.document_id == "returns"
    await shell(settings, tmp_path, example("delete all documents under a key"))
    gone = await received()
    assert isinstance(gone, DocumentWithdrawn)
    assert gone.data.document_id == "customer-42"


def _progress(document: str, state: str) -> Outgoing:
    base = ids.default_knowledge_base("acme")
    event = DocumentProgressed(
        id=ids.derive(document, state),
        source="/claw/test",
        subject=ids.document_key("acme", base, document),
        time=datetime.now(UTC),
        tenant="acme",
        traceparent="",
        data=Progress(knowledge_base_id=base, document_id=document, version=1, state=state),  # type: ignore[arg-type]
    )
    return Outgoing(DOCUMENTS_PROGRESSED, event)


@pytest.fixture
async def publisher(settings: Settings, received) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(settings.kafka, topics=(DOCUMENTS_PROGRESSED,))
    await publisher.start()
    yield publisher
    await publisher.stop()


async def test_kcat_follows_the_outcome(settings, tmp_path, publisher):
    await publisher.publish_all([_progress("article-18", "indexed"), _progress("article-17", "queued"), _progress("article-17", "indexed")])
    lines = (await shell(settings, tmp_path, example("the progress of article-17"))).splitlines()
    assert ['"state":"queued"' in line for line in lines] == [True, False]


async def test_python_sends_and_follows(settings, received, publisher):
    code = example("import asyncio, json").replace('"claw.', f'"{settings.kafka.topic_prefix}claw.')
    names: dict[str, Callable[..., Awaitable[dict[str, object]]]] = {}
    exec(compile(code, "docs/upstream.md", "exec"), names)
    sending = asyncio.ensure_future(names["send_and_follow"](connection_options(settings.kafka), "article-17", "# 发货"))
    event = await received()
    assert (event.data.text, event.data.document_id) == ("# 发货", "article-17")
    await publisher.publish_all([_progress("article-17", "queued"), _progress("article-18", "failed"), _progress("article-17", "indexed")])
    async with asyncio.timeout(10):
        assert (await sending)["state"] == "indexed"


async def test_an_inbox_is_made_found_and_described(settings, topics, capsys):
    """Idempotent, with the right configuration and the names the operator chose; workers that start find it."""
    assert await command.create(settings, "acme-2", "User:crm") == 0
    made = capsys.readouterr().out
    name = settings.kafka.topic_prefix + "claw.inbox.acme-2.v1"
    assert f"{name} was made" in made
    assert f"--allow-principal 'User:crm' --operation Write --operation Describe --topic {name}" in made
    assert f"--topic {settings.kafka.topic_prefix}claw.documents.progressed.v1" in made
    assert f"bootstrap.servers={settings.kafka.servers}" in made
    await topics(inbox_topic("acme-2"))  # to be deleted when the test ends
    assert await command.create(settings, "acme-2", "User:crm") == 0
    assert "is as it should be" in capsys.readouterr().out
    assert (await command.with_discovered_inboxes(settings)).lanes.inboxes == ("default", "acme-2")
    assert await command.list_inboxes(settings) == 0
    listed = capsys.readouterr().out
    assert "acme-2\t" in listed
    assert "no worker of the group tables runs" in listed
    assert "missing" in listed
