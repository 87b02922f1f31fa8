"""Children: they do the work, die alone, are replaced, and never outlive their parent."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.children import worker
from adapters.children.child import FORK_TIMEOUT_S
from adapters.children.worker import ParsedDocument, TextWorker
from adapters.embedders import multilingual
from adapters.embedders.local import LOCAL_MODELS
from adapters.fairness import TENANT
from adapters.parsing.core.source import DocumentSource
from adapters.text.sparse import unpack
from schemas.documents import FileType, Lane, Shelf
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import RetrievalSettings
from schemas.settings.documents import DocumentSettings
from schemas.settings.section import Secret
from tests.support.pdf_reading import scanned
from tests.support.pdf_writer import Page, pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[3]
SECRETS = ("CLAW_TEST_SECRET", "AWS_SECRET_ACCESS_KEY")
SHELF = Shelf()


async def parse(made: TextWorker, text: str, media_type: FileType = "text/markdown", *, lane: Lane = "express", **more) -> ParsedDocument:
    return await made.parse(DocumentSource(media_type=media_type, text=text), title="", lane=lane, shelf=SHELF, **more)


def pids(made: TextWorker) -> list[int]:
    return [child.process.pid for child in made._light._children]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started():
    """One worker for all tests that need no settings of their own: a child loads for seconds. The environment has secrets."""
    with pytest.MonkeyPatch.context() as patched:
        for name in SECRETS:
            patched.setenv(name, "hidden")
        made = TextWorker(RetrievalSettings(), DocumentSettings(parse_wall_s=20))
        await made.start()
        yield made
        await made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def text_worker(started):
    """With one idle server, whatever became of the last one, that has no child yet for the tenant of the test."""
    token = TENANT.set("somebody else")
    await parse(started, "ready")
    TENANT.reset(token)
    await until(lambda: len(started._light._children) == len(started._light._idle) == 1)
    return started


async def test_parse_and_encode(text_worker):
    """A document becomes chunks, chunks become vectors of the index's size; refusals pass through."""
    outcome = await parse(text_worker, "# Guide\n\nThe pool holds one hundred connections.")
    assert (outcome.title, outcome.media_type, outcome.vectors) == ("Guide", "text/markdown", [])
    assert [chunk.headings for chunk in outcome.chunks] == [("Guide",)]
    (vectors,) = await text_worker.encode_chunks(outcome.title, outcome.chunks, SHELF)
    sparse, dense = unpack(vectors)
    assert len(sparse.indices) > 2
    assert dense.shape == (multilingual.DIMENSIONS,)
    with pytest.raises(Refused) as refused:
        await parse(text_worker, "  ")
    assert refused.value.code == "document_empty"
    assert await text_worker.encode_chunks("", [], SHELF) == []


async def test_few_chunks_are_encoded_in_the_same_go(text_worker):
    """The vectors are the same as later ones, and none for what is known; many chunks wait for the embedding agent."""
    text = "# One\n\n" + "first words. " * 90 + "\n\n# Two\n\n" + "second words. " * 90
    before = {name: counter._value.get() for name, counter in (("new", worker.CHUNKS_EMBEDDED), ("old", worker.CHUNKS_REUSED))}
    outcome = await parse(text_worker, text, known=frozenset())
    assert len(outcome.chunks) > 1
    assert outcome.vectors == await text_worker.encode_chunks(outcome.title, outcome.chunks, SHELF)
    known = frozenset({outcome.chunks[0].hash})
    again = await parse(text_worker, text, known=known)
    assert [bool(each.dense) for each in again.vectors] == [False] + [True] * (len(outcome.chunks) - 1)
    assert again.vectors == await text_worker.encode_chunks(outcome.title, outcome.chunks, SHELF, known)
    assert worker.CHUNKS_REUSED._value.get() - before["old"] == 2
    assert worker.CHUNKS_EMBEDDED._value.get() - before["new"] == 4 * len(outcome.chunks) - 2
    assert (await parse(text_worker, "words here. " * 12_000, known=frozenset())).vectors == []


async def test_shelves_choose_chunks_and_embedding():
    """A shelf's own sizes and embedding go before the settings; one that nobody offers is the operator's."""
    made = TextWorker(RetrievalSettings(embedding="openai", embedding_api_key=Secret("k")), DocumentSettings())
    assert made.embedding_name(SHELF) == "openai-text-embedding-3-small-1536"
    for name, model in LOCAL_MODELS.items():
        assert made.embedding_name(Shelf(embedding=name)) == model.name
    assert made.embedding_name(Shelf(index="bm25.2-wordllama-l2-256.1")) == LOCAL_MODELS["wordllama"].name
    with pytest.raises(ConfigurationError, match="zhipu"):
        made.embedding_name(Shelf(embedding="zhipu"))
    await made.start()
    try:
        source = DocumentSource(media_type="text/plain", text="a sentence of some length. " * 60)
        small = await made.parse(source, title="t", lane="express", shelf=Shelf(chunk_tokens=32, chunk_tokens_max=64), known=frozenset())
        assert small.vectors == []  # a provider's are the embedding agent's work
        assert all(chunk.tokens <= 64 for chunk in small.chunks)
        local = await made.parse(source, title="t", lane="express", shelf=Shelf(embedding="local"), known=frozenset())
        assert len(local.chunks) < len(small.chunks)
        assert all(unpack(each)[1].shape == (multilingual.DIMENSIONS,) for each in local.vectors)
    finally:
        await made.stop()


async def test_many_callers_get_their_own_answers(text_worker):
    """Batches are shared, answers are not."""
    texts = [f"number{n} here" for n in range(150)]
    parsed = await asyncio.gather(*(parse(text_worker, text, known=frozenset()) for text in texts))
    chunks = [outcome.chunks[0] for outcome in parsed]
    assert [chunk.text for chunk in chunks] == texts
    assert [outcome.vectors[0] for outcome in parsed] == await text_worker.encode_chunks("", chunks, SHELF)


async def test_a_dead_child_is_one_documents_failure(text_worker):
    """The call that was running fails, the next is served by another child."""
    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    running = asyncio.create_task(parse(text_worker, "first"))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(parse(text_worker, "second"))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refused) as refused:
        await running
    assert refused.value.code == "document_crashed_parser"
    assert (await waiting).chunks[0].text == "second"
    assert pids(text_worker) != [pid]


async def test_texts_that_went_together_fail_alone(text_worker):
    """A child that dies over several texts says nothing about any of them: each is tried again by itself."""
    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    first = asyncio.create_task(parse(text_worker, "first"))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(parse(text_worker, text)) for text in ("one", "  ", "three", "# Four\n\nfour")]
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGCONT)
    assert (await first).chunks[0].text == "first"
    done = await asyncio.gather(*others, return_exceptions=True)
    assert [each.chunks[0].text if isinstance(each, ParsedDocument) else getattr(each, "code", each) for each in done] == [
        "one",
        "document_empty",
        "three",
        "# Four\n\nfour",
    ]
    (server,) = text_worker._light._children
    os.kill(server.server.child, signal.SIGSTOP)
    together = [asyncio.create_task(parse(text_worker, text)) for text in ("a", "b", "c")]
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert [(await each).chunks[0].text for each in together] == ["a", "b", "c"]


async def test_vectors_of_texts_that_went_together_are_their_own(text_worker):
    """As they are alone, whichever of them need none."""
    texts = ["# A\n\nharbour", "lantern " * 30, "船坞 灯塔"]
    alone = [await parse(text_worker, text, known=frozenset()) for text in texts]
    lent = frozenset({alone[1].chunks[0].hash})
    wanted = [(texts[0], frozenset()), (texts[1], lent), (texts[2], None), (texts[2], frozenset())]
    together = await asyncio.gather(*(parse(text_worker, text, known=known) for text, known in wanted))
    assert [each.vectors for each in together[:1]] == [alone[0].vectors]
    assert not together[1].vectors[0].dense
    assert together[2].vectors == []
    assert together[3].vectors == alone[2].vectors


async def test_a_child_that_takes_too_long_is_replaced(text_worker, monkeypatch):
    """The wall clock ends it; the setting is named."""
    assert text_worker._limits.wall_s == 20, "as the settings have it"
    monkeypatch.setattr(text_worker, "_limits", dataclasses.replace(text_worker._limits, wall_s=0.5))
    (pid,) = pids(text_worker)
    (child,) = text_worker._light._children
    await child._prepare("")
    os.kill(child.server.child, signal.SIGSTOP)
    with pytest.raises(Refused, match="CLAW_DOCUMENT_PARSE_WALL_S") as refused:
        await parse(text_worker, "stuck")
    assert refused.value.code == "document_too_complex"
    assert (await parse(text_worker, "next")).chunks[0].text == "next"
    assert not alive(pid)


async def test_a_child_that_died_idle_costs_no_document(text_worker):
    """Nobody's document killed it, so nobody's fails."""
    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))
    await asyncio.sleep(0.05)
    assert (await parse(text_worker, "next")).chunks[0].text == "next"


async def test_a_cancelled_caller_costs_no_child(text_worker):
    """The child finishes for nobody, and serves on."""
    before = pids(text_worker)
    cancelled = asyncio.create_task(parse(text_worker, "word. " * 50_000))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert (await parse(text_worker, "next")).chunks[0].text == "next"
    assert pids(text_worker) == before


async def test_a_cancelled_file_ends_its_child(text_worker):
    """Nobody waits for what may take an hour; the next file gets another one."""
    long = "word " * 50_000
    await parse(text_worker, long)
    (child,) = text_worker._heavy["express"]._children
    os.kill(child.server.child, signal.SIGSTOP)
    task = asyncio.create_task(parse(text_worker, long))
    await until(lambda: text_worker._heavy["express"]._runs)
    await asyncio.sleep(0.05)
    task.cancel()
    await until(lambda: not alive(child.process.pid))
    assert task.cancelled()
    assert (await parse(text_worker, long)).chunks


async def test_children_are_recycled_by_count(text_worker, monkeypatch):
    """The successor is ready before the old one goes; nobody notices."""
    monkeypatch.setattr(text_worker._light, "_policy", dataclasses.replace(text_worker._light._policy, tasks_max=3))
    (before,) = pids(text_worker)
    for n in range(4):
        await parse(text_worker, f"text {n}")
    await until(lambda: len(pids(text_worker)) == 1 and before not in pids(text_worker))
    assert (await parse(text_worker, "next")).chunks[0].text == "next"
    assert not alive(before)


async def test_express_goes_before_bulk(text_worker):
    """What waits for a child is served by rank, then by arrival."""
    order = []

    async def send(name, lane):
        await parse(text_worker, name, lane=lane)
        order.append(name)

    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    sent = []
    for name, lane in (("running", "bulk"), ("b1", "bulk"), ("b2", "bulk"), ("x", "express")):
        sent.append(asyncio.create_task(send(name, lane)))
        await asyncio.sleep(0.02)
    os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*sent)
    assert order == ["running", "x", "b1", "b2"]


async def test_stopping_ends_children_and_answers_callers():
    """Nobody waits for ever, no process stays."""
    made = TextWorker(RetrievalSettings(parse_processes=2), DocumentSettings())
    await made.start()
    before = pids(made)
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    calls = [asyncio.create_task(parse(made, "text")) for _ in range(4)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await made.stop()
    assert time.monotonic() - began < FORK_TIMEOUT_S / 2, "it waits for no fork that will never be"
    for call in calls:
        with pytest.raises(Unavailable):
            await call
    assert not any(alive(pid) for pid in before)
    with pytest.raises(Unavailable):
        await parse(made, "late")


async def test_the_loop_is_never_blocked(text_worker):
    """A heavy document leaves the event loop free."""
    worst = 0.0

    async def watch():
        nonlocal worst
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.005)
            worst = max(worst, time.monotonic() - started)

    watching = asyncio.create_task(watch())
    outcome = await parse(text_worker, "一句话在这里。" * 28_000, "text/plain")
    watching.cancel()
    assert len(outcome.chunks) > 500
    assert worst < 0.3


async def test_a_scan_is_read_in_the_confined_child_and_leaves_no_document_without_memory(tmp_path):
    """Its models stay in the child for the next scan; where little memory is allowed for parsing, the child is replaced at once."""
    pytest.importorskip("rapidocr")
    width, height, pixels = scanned(Page(width=420, height=200).text(30, 150, "The ferry leaves at nine", 18))
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(pdf(Page(width=420, height=200).image(width, height, pixels)))
    made = TextWorker(RetrievalSettings(), DocumentSettings(parse_memory_mib=256, ocr_memory_mib=1024))
    await made.start()
    try:
        for _ in range(2):
            read = await made.parse(DocumentSource(path=str(scan)), title="", lane="express", shelf=SHELF)
            assert "The ferry leaves at nine" in read.chunks[0].text
            assert [note.code for note in read.notes] == ["read_by_ocr"]
            page = await parse(made, "<p>" + "words on a page. " * 20_000, "text/html")
            assert len(page.chunks) > 100
    finally:
        await made.stop()


ORPHAN = """
import asyncio, os, signal
from adapters.children.worker import TextWorker
from schemas.settings import DocumentSettings, RetrievalSettings

async def main():
    worker = TextWorker(RetrievalSettings(), DocumentSettings())
    await worker.start()
    print(*(child.process.pid for child in worker._light._children), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_children_die_with_a_killed_parent():
    """Even when it had no time to say so."""
    parent = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ORPHAN], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout.split()[-1])  # after what the worker logged
    await until(lambda: not alive(pid), 5)


async def test_children_know_no_secrets(text_worker):
    """What reads strangers' documents has none of our environment."""
    assert all(os.environ[name] == "hidden" for name in SECRETS)
    environment = await asyncio.to_thread(Path(f"/proc/{pids(text_worker)[0]}/environ").read_bytes)
    assert b"hidden" not in environment
