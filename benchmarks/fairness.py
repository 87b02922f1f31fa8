"""One abusive account beside ten normal ones: what it costs them, against their own idle latency in the same run.

The abusive account does everything at once, as fast as its limits allow, and repeats every second what was refused: questions of 8,000
blanks in as many conversations as it may have replies open, files that take a parser long, event streams, and embeddings. The ten ask a
question every five seconds and submit a document every six. The limits are those of an installation as it comes, but for the one per
address: all accounts come from one here. `CLAW_BENCH_FAIRNESS_S` sets the seconds of the abuse (120).
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, median, percentile
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client, events
from claw_client.errors import ApiError, check_answer
from ops.stack.launch import stack

MODEL = "stub?first_ms=50&tokens=32&token_ms=20"
NORMAL = 10
WARM_UP_S, IDLE_S = 10.0, 60.0
ABUSE_S = float(environ.get("CLAW_BENCH_FAIRNESS_S", "120"))
QUESTION_EVERY_S, DOCUMENT_EVERY_S = 5.0, 6.0
AGAIN_S = 1.0  # after a refusal: the abusive account does not wait as long as it is told to
OPEN_QUESTIONS, OPEN_UPLOADS, OPEN_STREAMS, OPEN_EMBEDDINGS = 32, 4, 50, 4
ANSWER_RATIO_MAX, DOCUMENT_RATIO_MAX = 1.5, 2.0
ROWS = 2_500  # of the table in each file: a second or so of a parser
UNTIMED = aiohttp.ClientTimeout(total=None)
PASSPHRASE = "a long benchmark passphrase"
NOTE = "The lighthouse of station {n} guards harbour number {n}. Its lamp was lit in 1875. Its keeper is Keeper{n}. "


@dataclass(slots=True)
class Latencies:
    """Seconds of each answer to its end and of each document until it is searchable; what failed is counted by name."""

    answers_s: list[float] = field(default_factory=list)
    documents_s: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)


async def run() -> list[Figure]:
    """Idle, then with the abusive account; both measured alike."""
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.url)) as up,
            open_client(up.url, "abuse@example.org") as abusive,
            asyncio.TaskGroup() as group,
        ):
            people = [Person(group, up.url, number) for number in range(NORMAL)]
            await asyncio.gather(*(person.open() for person in people))
            await measure(people, WARM_UP_S)
            idle = await measure(people, IDLE_S)
            abuse = Abuse(abusive)
            tasks = [group.create_task(work) for work in abuse.work()]
            beside = await measure(people, ABUSE_S)
            for task in (*tasks, *(person.watching for person in people)):
                task.cancel()
            await asyncio.gather(*(person.close() for person in people))
    return [*_figures(idle, beside), *(Figure(f"abusive_{name}", count, "") for name, count in sorted(abuse.done.items()))]


def settings_for(provider: str) -> dict[str, str]:
    return {
        **stub_model(provider, MODEL),
        "CLAW_LIMIT_ADDRESS_PER_MINUTE": "1000000",
    }


@asynccontextmanager
async def open_client(url: str, email: str) -> AsyncIterator[Client]:
    """An account of its own, over connections of its own."""
    async with aiohttp.ClientSession(base_url=url, connector=aiohttp.TCPConnector(limit=0)) as session:
        yield await Client.register(session, email, PASSPHRASE)


class Person:
    """A normal account: asks, submits, and follows the progress of its documents."""

    def __init__(self, group: asyncio.TaskGroup, url: str, number: int) -> None:
        self._group, self._url, self._number = group, url, number
        self._indexed: dict[str, asyncio.Event] = {}
        self._serial = 0
        self._opened = open_client(url, f"person{number}@example.org")

    async def open(self) -> None:
        """Register, and watch the knowledge base."""
        self.client = await self._opened.__aenter__()
        self.conversation = await self.client.create_conversation()
        self.watching = self._group.create_task(self._watch())

    async def close(self) -> None:
        """Close the connections."""
        await self._opened.__aexit__(None, None, None)

    async def ask(self, latencies: Latencies) -> None:
        """One question, to the end of its answer."""
        began = time.perf_counter()
        try:
            async with self.client.ask(self.conversation, f"Who is the keeper of station {self._number}?") as answer:
                async for sent in events(answer.content):
                    if sent.name == "completed":
                        latencies.answers_s.append(time.perf_counter() - began)
                        return
                    if sent.name == "failed":
                        latencies.failed[str(sent.data)] += 1
                        return
        except (ApiError, aiohttp.ClientError) as error:
            latencies.failed[str(error)[-160:]] += 1

    async def submit(self, latencies: Latencies) -> None:
        """One document, until it is searchable."""
        self._serial += 1
        name = f"note-{self._serial}"
        arrived = self._indexed[name] = asyncio.Event()
        began = time.perf_counter()
        try:
            await self.client.submit(name, NOTE.format(n=self._number) * 8 + name)
            async with asyncio.timeout(60):
                await arrived.wait()
            latencies.documents_s.append(time.perf_counter() - began)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            latencies.failed[f"document: {error!r}"[:80]] += 1

    async def _watch(self) -> None:
        path = f"/api/v1/knowledge/{self.client.knowledge_base}/events"
        async with self.client.session.get(path, headers=self.client.headers, timeout=UNTIMED) as stream:
            async for sent in events(stream.content):
                if sent.name == "progress" and sent.data["state"] == "indexed" and sent.data["document_id"] in self._indexed:
                    self._indexed[sent.data["document_id"]].set()


async def measure(people: list[Person], seconds: float) -> Latencies:
    """Everybody asks and submits at even distances, each at another time."""
    latencies = Latencies()
    until = time.perf_counter() + seconds

    async def repeat(work: Callable[[Latencies], Awaitable[None]], every_s: float, first_s: float) -> None:
        await asyncio.sleep(first_s)
        while time.perf_counter() < until:
            began = time.perf_counter()
            await work(latencies)
            await asyncio.sleep(max(0.0, every_s - (time.perf_counter() - began)))

    async with asyncio.TaskGroup() as group:
        for place, person in enumerate(people):
            group.create_task(repeat(person.ask, QUESTION_EVERY_S, QUESTION_EVERY_S * place / len(people)))
            group.create_task(repeat(person.submit, DOCUMENT_EVERY_S, DOCUMENT_EVERY_S * place / len(people)))
    return latencies


class Abuse:
    """The abusive account. ``done`` counts what came of its work, by name."""

    def __init__(self, client: Client) -> None:
        self.done: Counter[str] = Counter()
        self._client = client
        rows = "".join(f"<tr><td>{n}</td><td>{n * 7}</td><td>row {n} of a long table</td></tr>" for n in range(ROWS))
        self._page = f"<table>{rows}</table>"
        self._texts = [f"passage {n} " + "lighthouse harbour keeper " * 15 for n in range(64)]

    def work(self) -> list[Coroutine[None, None, None]]:
        """Everything that it does at once."""
        return [
            *(self._repeat("questions", self._ask) for _ in range(OPEN_QUESTIONS)),
            *(self._repeat("files", self._upload) for _ in range(OPEN_UPLOADS)),
            *(self._repeat("streams", self._follow) for _ in range(OPEN_STREAMS)),
            *(self._repeat("embeddings", self._embed) for _ in range(OPEN_EMBEDDINGS)),
        ]

    async def _repeat(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                self.done[name] += 1
            except (ApiError, aiohttp.ClientError, TimeoutError):
                self.done[f"{name}_refused"] += 1
                await asyncio.sleep(AGAIN_S)

    async def _ask(self) -> None:
        async with self._client.ask(await self._client.create_conversation(), " " * 7_900 + "keeper" + " " * 90) as answer:
            await self._read(answer)

    async def _upload(self) -> None:
        await self._client.submit(f"file-{time.perf_counter_ns()}", self._page, media_type="text/html")

    async def _follow(self) -> None:
        path = f"/api/v1/knowledge/{self._client.knowledge_base}/events"
        async with self._client.session.get(path, headers=self._client.headers, timeout=UNTIMED) as stream:
            await self._read(stream)

    async def _embed(self) -> None:
        body = {"model": "claw-embedding", "input": self._texts}
        async with self._client.session.post("/v1/embeddings", json=body, headers=self._client.headers) as answer:
            await self._read(answer)

    @staticmethod
    async def _read(answer: aiohttp.ClientResponse) -> None:
        await check_answer(answer)
        async for _ in answer.content.iter_any():
            pass


def _figures(idle: Latencies, beside: Latencies) -> list[Figure]:
    figures = []
    for name, before, now, bar in (
        ("answer", idle.answers_s, beside.answers_s, ANSWER_RATIO_MAX),
        ("document", idle.documents_s, beside.documents_s, DOCUMENT_RATIO_MAX),
    ):
        for label, of in (("p50", median), ("p95", lambda values: percentile(values, 0.95))):
            ratio = round(of(now) / of(before), 2)
            shown = f"<= {bar:g}x idle" if label == "p50" else ""
            figures.append(Figure(f"{name}_{label}", round(of(now) * 1000), "ms", ratio, "idle", shown))
    failed = sum(beside.failed.values())
    if beside.failed:
        print(dict(beside.failed), file=sys.stderr)
    return [*figures, Figure("refused_or_failed", failed, "", bar="0")]
