"""A real service's hour, twenty times faster: arrivals, prompt and answer lengths of the Azure conversation trace, through the whole stack.

``CLAW_DATA=PATH`` names the folder with ``load/azure2023_conv.csv``; without it this is skipped. ``CLAW_DATA_REQUESTS`` takes only so many
requests from its beginning. Arrivals do not wait for answers. Who is told to come back later does, so nothing may be lost.
"""

import asyncio
import csv
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

import aiohttp

from benchmarks.chat import PASSAGES, load, settings_for
from benchmarks.figures import Figure, percentile
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client, events
from ops.stack.launch import stack

SPEED = 20.0
TRACE = Path("load") / "azure2023_conv.csv"
QUESTION_CHARS_MAX = 7_900  # below the product's default limit of 8,000
CHARS_PER_TOKEN = 4
DRAINED_S_MAX = 600.0
WORDS = "please tell me what the record of this station says about its lamp and its keeper because I need to know it "


@dataclass(frozen=True, slots=True)
class TraceArrival:
    """One request of the trace; ``at_s`` as it is replayed."""

    at_s: float
    question: str


@dataclass(slots=True)
class TraceReport:
    """What happened to the requests. Times in seconds from a request's arrival, waiting after a refusal included."""

    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    resumed: int = 0
    open: int = 0
    open_max: int = 0


async def run() -> list[Figure]:
    """No figures when there is no trace."""
    source = Path(environ.get("CLAW_DATA", "")) / TRACE
    if not environ.get("CLAW_DATA") or not source.is_file():
        print(f"skipped: no trace; CLAW_DATA names the folder that has {TRACE}", file=sys.stderr)
        return []
    arrivals = list(_arrivals(source, int(environ.get("CLAW_DATA_REQUESTS", "0"))))
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.url)) as up,
            aiohttp.ClientSession(base_url=up.url, connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            client = await Client.register(session, "trace@example.org", "a long benchmark passphrase")
            await load(client)
            began = time.perf_counter()
            report = await _replay(client, arrivals)
            took_s = time.perf_counter() - began
    return _figures(arrivals, report, took_s)


def _arrivals(source: Path, limit: int) -> Iterator[TraceArrival]:
    with source.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            if limit and number >= limit:
                return
            wanted = f"Which harbour does the lighthouse of station {number % PASSAGES} guard? [[tokens={row['output_tokens']}]] "
            chars = min(int(row["prompt_tokens"]) * CHARS_PER_TOKEN, QUESTION_CHARS_MAX)
            filling = (WORDS * (chars // len(WORDS) + 1))[: max(0, chars - len(wanted))]
            yield TraceArrival(float(row["arrival_s"]) / SPEED, wanted + filling)


async def _replay(client: Client, arrivals: list[TraceArrival]) -> TraceReport:
    report, free = TraceReport(), [await client.create_conversation(mode="assistant") for _ in range(64)]
    began = time.perf_counter()
    async with asyncio.timeout(arrivals[-1].at_s + DRAINED_S_MAX), asyncio.TaskGroup() as group:
        for number, arrival in enumerate(arrivals):
            await asyncio.sleep(max(0.0, began + arrival.at_s - time.perf_counter()))
            group.create_task(_request(client, report, free, f"trace-{number}", arrival))
    return report


async def _request(client: Client, report: TraceReport, free: list[str], key: str, arrival: TraceArrival) -> None:
    began = time.perf_counter()
    report.open += 1
    report.open_max = max(report.open_max, report.open)
    if free:
        conversation = free.pop()
    else:
        async with _post_until_accepted(client, report, "/api/v1/conversations", {}, client.headers) as made:
            conversation = str((await made.json())["id"])
    headers = {**client.headers, "Accept": "text/event-stream", "Idempotency-Key": key}
    path = f"/api/v1/conversations/{conversation}/messages"
    async with _post_until_accepted(client, report, path, {"content": arrival.question}, headers) as answer:
        last, stream = await _answer(answer, report, began)
    while last:  # the stream broke off before its end: resume it
        report.resumed += 1
        async with client.session.get(stream, headers={**client.headers, "Last-Event-ID": last}) as answer:
            last, _ = await _answer(answer, report, began, first=False)
    report.open -= 1
    free.append(conversation)


@asynccontextmanager
async def _post_until_accepted(
    client: Client, report: TraceReport, path: str, body: dict[str, str], headers: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to an accepted POST; after a refusal with Retry-After it is sent again."""
    while True:
        async with client.session.post(path, json=body, headers=headers) as answer:
            if answer.ok:
                yield answer
                return
            if answer.status not in {429, 503}:
                raise SystemExit(f"answered {answer.status}: {await answer.text()}")
            report.refused += 1
            wait_s = float(answer.headers.get("Retry-After", "1"))
        await asyncio.sleep(wait_s)


async def _answer(answer: aiohttp.ClientResponse, report: TraceReport, began: float, *, first: bool = True) -> tuple[str, str]:
    """Read to the end: ("", the stream's path), or to where it broke off: the last id, and the path to resume."""
    last = stream = ""
    async for sent in events(answer.content):
        last = sent.id
        if sent.name == "accepted":
            stream = f"/api/v1/conversations/{sent.data['conversation_id']}/replies/{sent.data['reply_id']}/stream"
            report.positions.append(sent.data.get("queue_position") or 0)
        elif sent.name == "delta" and first:
            report.first_s.append(time.perf_counter() - began)
            first = False
        elif sent.name == "completed":
            report.whole_s.append(time.perf_counter() - began)
            return "", stream
        elif sent.name in {"failed", "cancelled"}:
            report.failed += 1
            return "", stream
    return last, stream


def _figures(arrivals: list[TraceArrival], report: TraceReport, took_s: float) -> list[Figure]:
    lost = len(arrivals) - len(report.whole_s) - report.failed
    offered, done = len(arrivals) / max(arrivals[-1].at_s, 1e-9), len(report.whole_s) / took_s
    figures = [
        Figure("trace_requests", len(arrivals), "requests"),
        Figure("trace_lost", lost, "requests", bar="0"),
        Figure("trace_failed", report.failed, "requests", bar="0"),
        Figure("trace_rate", round(done, 1), "chats/s", round(done / offered, 2), f"offered at {SPEED:g}x ({offered:.1f}/s)"),
        *(Figure(f"trace_first_token_p{share}", round(percentile(report.first_s, share / 100), 3), "s") for share in (50, 95, 99)),
        Figure("trace_open_max", report.open_max, "requests"),
        Figure("trace_told_to_wait", report.refused, "answers"),
        Figure("trace_resumed", report.resumed, "streams"),
    ]
    if report.positions:
        figures.append(Figure("trace_queue_position_p99", percentile(report.positions, 0.99), "questions"))
    return figures
