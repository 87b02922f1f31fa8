"""What a chat and a document cost now, against another checkout: ``CLAW_TEST_BEFORE=/path/to/it make bench BENCH=before``.

Both stacks run at once, and rounds alternate between them (``benchmarks/pairs.py``). The other checkout needs an environment of its own
(``make environment``). Ratios of chats are of the CPU of a chat, each divided by the stub's own in the same round; those of documents of
their rate and of the CPU of a document.
"""

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from benchmarks.chat import ROUNDS, STUB, Round
from benchmarks.documents import WARM_UP, bulk, make_documents
from benchmarks.figures import Figure, median
from benchmarks.pairs import measuring, stack_ms
from benchmarks.processes import cpu_by_name
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client
from ops.stack.embedded import locate
from ops.stack.launch import PROJECT, stack

BEFORE = Path(environ["CLAW_TEST_BEFORE"]).resolve() if environ.get("CLAW_TEST_BEFORE") else None
PROCESSES = ("tables", "chat", "knowledge", "api", "kafka", "redis", "documents")
DOCUMENTS = 1_000
BAR = "<= 1.05x"


@dataclass(frozen=True)
class DocumentRound:
    """Documents through one stack: how many a second, and the CPU of each by process, in ms."""

    per_second: float
    cpu_ms: dict[str, float]


async def run() -> list[Figure]:
    """Medians over the pairs; nothing without another checkout."""
    return [] if BEFORE is None else [*await _compare_chats(BEFORE), *await _compare_documents(BEFORE)]


async def _compare_chats(other: Path) -> list[Figure]:
    async with (
        launch_stub_provider() as stub,
        measuring(stub.url, stub.process.pid, {}, other) as before,
        measuring(stub.url, stub.process.pid, {}) as now,
    ):
        pairs = [(await before(), await now()) for _ in range(ROUNDS)]

    def compare(name: str, of: Callable[[Round], float], bar: str = "") -> Figure:
        ratios = [(of(this) / this.cpu_ms[STUB]) / (of(then) / then.cpu_ms[STUB]) for then, this in pairs]
        value = round(median([of(this) for _, this in pairs]), 2)
        return Figure(f"cpu_chat_{name}_now", value, "ms", round(median(ratios), 2), "the other checkout", bar)

    return [
        compare("stack", stack_ms, BAR),
        *(compare(name, _of(name), "<= 1.3x" if name == "tables" else "") for name in _list_processes(pairs)),
    ]


async def _compare_documents(other: Path) -> list[Figure]:
    async with _loading(other) as before, _loading() as now:
        pairs = [(await before(), await now()) for _ in range(ROUNDS)]

    def compare(name: str, unit: str, of: Callable[[DocumentRound], float], bar: str = "") -> Figure:
        ratios = [of(this) / of(then) for then, this in pairs]
        return Figure(name, round(median([of(this) for _, this in pairs]), 2), unit, round(median(ratios), 2), "the other checkout", bar)

    return [
        compare("documents_per_second_now", "documents/s", lambda each: each.per_second, ">= 0.95x"),
        compare("cpu_document_stack_now", "ms", lambda each: sum(each.cpu_ms.values()), BAR),
        *(compare(f"cpu_document_{name}_now", "ms", _of(name)) for name in _list_processes(pairs)),
    ]


@asynccontextmanager
async def _loading(project: Path = PROJECT) -> AsyncIterator[Callable[[], Awaitable[DocumentRound]]]:
    """A warm stack of the checkout, as a function that puts documents through its inbox and waits until all can be found."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        settings = {"CLAW_LIMIT_ENABLED": "false"}
        async with stack(Path(home), settings, project=project) as up, aiohttp.ClientSession(base_url=up.url) as session:
            client = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            async with AIOKafkaProducer(**connection_options(locate(Path(home)).kafka), acks="all") as producer:
                await bulk(producer, client, make_documents(rng, WARM_UP))

                async def measure() -> DocumentRound:
                    cpu_s = cpu_by_name(up.process.pid)
                    took_s = await bulk(producer, client, make_documents(rng, DOCUMENTS))
                    spent = {name: (s - cpu_s.get(name, 0.0)) * 1000 / DOCUMENTS for name, s in cpu_by_name(up.process.pid).items()}
                    return DocumentRound(DOCUMENTS / took_s, spent)

                yield measure


def _of(name: str) -> Callable[[Round | DocumentRound], float]:
    return lambda each: each.cpu_ms.get(name, 0.0)


def _list_processes(pairs: list[tuple[Round, Round]] | list[tuple[DocumentRound, DocumentRound]]) -> list[str]:
    """Those that spend anything in every round."""
    return [name for name in PROCESSES if all(each.cpu_ms.get(name) for pair in pairs for each in pair)]
