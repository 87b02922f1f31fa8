"""A question on a sheet of 50,000 rows: reading the table once, asking it, and how late the event loop is meanwhile.

In this process, without an index: its chunks come from memory, so the time is that of the table alone.
"""

import asyncio
import csv
import io
import time
from typing import Any, cast

from adapters.index.port import Hit
from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.source import Bounds
from adapters.parsing.markup.delimited import parse_rows
from benchmarks.figures import Figure, median, percentile
from domain.retrieval.tables.answers import TableAnswers
from ops.processes import runtime
from schemas.settings import RetrievalSettings
from schemas.settings.documents import DocumentSettings

ROWS = 50_000
ROUNDS = 5
TICK_S = 0.005
QUESTIONS = (
    "华东的金额合计是多少？",
    "金额最高的订单是哪个？",
    "DD-123456的金额是多少？",
    "2024年6月1日以后华南的订单有几个？",
    "哪个产品的保修期最长？",
)


class _Chunks:
    """The chunks of one document."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits

    async def chunks(self, *_where: Any, first: int, limit: int) -> list[Hit]:
        return self.hits[first : first + limit]


async def run() -> list[Figure]:
    """Medians over the rounds; the lateness is that of 99 of 100 ticks. The collector is set as in every process of ours."""
    hits = _hits()
    runtime.tune_gc()
    read_ms: list[float] = []
    asked_ms: list[float] = []
    late_ms: list[float] = []
    watching = asyncio.create_task(_watch(late_ms))
    for _ in range(ROUNDS):
        tables = TableAnswers(cast("Any", _Chunks(hits)), RetrievalSettings())
        part = hits[0].tables[0]
        began = time.perf_counter()
        await tables.table("t", hits[0], part)
        read_ms.append((time.perf_counter() - began) * 1000)
        for question in QUESTIONS:
            began = time.perf_counter()
            await tables.find("t", hits[:1], question)
            asked_ms.append((time.perf_counter() - began) * 1000)
    watching.cancel()
    return [
        Figure("sheet_read_once", round(median(read_ms)), "ms"),
        Figure("sheet_question_p50", round(median(asked_ms)), "ms"),
        Figure("sheet_question_max", round(max(asked_ms)), "ms", bar="<= 1,500 ms"),
        Figure("sheet_loop_late_p99", round(percentile(late_ms, 0.99), 1), "ms", bar="<= 50 ms"),
    ]


async def _watch(late_ms: list[float]) -> None:
    """Measures how much later than asked for a short sleep ends."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late_ms.append((time.perf_counter() - began - TICK_S) * 1000)


def _hits() -> list[Hit]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("订单号", "地区", "产品", "数量", "金额（元）", "日期"))
    for n in range(ROWS):
        area = ("华东", "华南", "华北", "西南")[n % 4]
        day = f"2024-{1 + n % 12:02}-{1 + n % 28:02}"
        writer.writerow((f"DD-{100_000 + n}", area, f"产品{n % 300}", n % 50, f"{n * 37 % 9_000 + 100:,}", day))
    parsed = parse_rows(text.getvalue().replace("\r\n", "\n"), Bounds.of(DocumentSettings()))
    made = chunk(parsed, title="订单表", target_tokens=320, max_tokens=480, chunks_max=100_000)
    return [
        Hit(
            id=str(each.ordinal),
            collection="kb",
            document_id="orders",
            version=1,
            ordinal=each.ordinal,
            title="订单表",
            headings=each.headings,
            text=each.text,
            score=1.0,
            bm25=1.0,
            dense=0.0,
            tables=each.tables,
        )
        for each in made
    ]
