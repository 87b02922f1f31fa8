"""Children: they do the work, die alone, are replaced, and never outlive their parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.children import TextWorker, pool, worker
from adapters.sparse import unpack
from schemas.documents import Document
from schemas.errors import Refused, Unavailable
from schemas.settings import Retrieval

ROOT = Path(__file__).parents[2]


def document(text: str, media_type="text/markdown") -> Document:
    return Document(knowledge_base_id="kb", document_id="doc", title="", media_type=media_type, text=text)


def pids(made: TextWorker) -> list[int]:
    return [child.process.pid for child in made._pool._children]


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


@pytest.fixture
async def text_worker():
    made = TextWorker(Retrieval())
    await made.start()
    yield made
    await made.stop()


async def test_parse_and_encode(text_worker):
    """A document becomes chunks, chunks become vectors of the index's size; refusals pass through."""
    title, chunks = await text_worker.parse_and_chunk(document("# Guide\n\nThe pool holds one hundred connections."))
    assert title == "Guide"
    assert [chunk.headings for chunk in chunks] == [("Guide",)]
    sparse, dense = unpack((await text_worker.encode_chunks(title, chunks))[0])
    assert len(sparse.indices) > 2
    assert dense.shape == (text_worker.dimensions,)
    with pytest.raises(Refused) as refused:
        await text_worker.parse_and_chunk(document("  "))
    assert refused.value.code == "document_empty"
    assert await text_worker.encode([]) == []


async def test_many_callers_get_their_own_answers(text_worker):
    """Batches are shared, answers are not."""
    texts = [f"number{n} here" for n in range(150)]
    alone = await asyncio.gather(*(text_worker.encode([text]) for text in texts))
    together = await text_worker.encode(texts)
    assert [one[0] for one in alone] == together
    parsed = await asyncio.gather(*(text_worker.parse_and_chunk(document(text)) for text in texts))
    assert [chunks[0].text for _, chunks in parsed] == texts


async def test_a_dead_child_is_one_documents_failure(text_worker):
    """The call that was running fails, the next is served by another child."""
    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    running = asyncio.create_task(text_worker.parse_and_chunk(document("first")))
    waiting = asyncio.create_task(text_worker.parse_and_chunk(document("second")))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refused) as refused:
        await running
    assert refused.value.code == "document_crashed_parser"
    assert (await waiting)[1][0].text == "second"
    assert pids(text_worker) != [pid]


async def test_a_child_that_takes_too_long_is_replaced(text_worker, monkeypatch):
    """The wall clock ends it."""
    monkeypatch.setattr(worker, "PARSE_TIMEOUT_S", 0.2)
    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Refused, match="longer than") as refused:
        await text_worker.parse_and_chunk(document("stuck"))
    assert refused.value.code == "document_crashed_parser"
    monkeypatch.setattr(worker, "PARSE_TIMEOUT_S", 20)
    assert (await text_worker.parse_and_chunk(document("next")))[1][0].text == "next"
    assert not alive(pid)


async def test_a_cancelled_caller_costs_no_child(text_worker):
    """The child finishes for nobody, and serves on."""
    before = pids(text_worker)
    cancelled = asyncio.create_task(text_worker.parse_and_chunk(document("word. " * 50_000)))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert (await text_worker.parse_and_chunk(document("next")))[1][0].text == "next"
    assert pids(text_worker) == before


async def test_children_are_recycled_by_count(text_worker, monkeypatch):
    """The successor is ready before the old one goes; nobody notices."""
    monkeypatch.setattr(pool, "TASKS_PER_CHILD", 3)
    (before,) = pids(text_worker)
    for n in range(4):
        await text_worker.parse_and_chunk(document(f"text {n}"))
    await until(lambda: len(pids(text_worker)) == 1 and before not in pids(text_worker))
    assert (await text_worker.parse_and_chunk(document("next")))[1][0].text == "next"
    assert not alive(before)


async def test_express_goes_before_bulk(text_worker):
    """What waits for a child is served by rank, then by arrival."""
    order = []

    async def parse(name, lane):
        await text_worker.parse_and_chunk(document(name), lane=lane)
        order.append(name)

    (pid,) = pids(text_worker)
    os.kill(pid, signal.SIGSTOP)
    tasks = [
        asyncio.create_task(parse(name, lane)) for name, lane in (("running", "bulk"), ("b1", "bulk"), ("b2", "bulk"), ("x", "express"))
    ]
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*tasks)
    assert order == ["running", "x", "b1", "b2"]


async def test_stopping_ends_children_and_answers_callers():
    """Nobody waits for ever, no process stays."""
    made = TextWorker(Retrieval(parse_processes=2))
    await made.start()
    before = pids(made)
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    calls = [asyncio.create_task(made.parse_and_chunk(document("text"))) for _ in range(4)]
    await asyncio.sleep(0.05)
    await made.stop()
    for call in calls:
        with pytest.raises(Unavailable):
            await call
    assert not any(alive(pid) for pid in before)
    with pytest.raises(Unavailable):
        await made.parse_and_chunk(document("late"))


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
    _, chunks = await text_worker.parse_and_chunk(document("一句话在这里。" * 30_000, "text/plain"))
    watching.cancel()
    assert len(chunks) > 500
    assert worst < 0.3


ORPHAN = """
import asyncio, os, signal
from adapters.children import TextWorker
from schemas.settings import Retrieval

async def main():
    worker = TextWorker(Retrieval())
    await worker.start()
    print(*(child.process.pid for child in worker._pool._children), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_children_die_with_a_killed_parent():
    """Even when it had no time to say so."""
    parent = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", ORPHAN], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    (pid,) = map(int, parent.stdout.split())
    await until(lambda: not alive(pid), 5)


async def test_children_know_no_secrets(text_worker):
    """What reads strangers' documents has none of our environment."""
    os.environ["CLAW_TEST_SECRET"] = "hidden"
    try:
        made = TextWorker(Retrieval())
        await made.start()
        environment = await asyncio.to_thread(Path(f"/proc/{pids(made)[0]}/environ").read_bytes)
        await made.stop()
    finally:
        del os.environ["CLAW_TEST_SECRET"]
    assert b"CLAW_" not in environment
