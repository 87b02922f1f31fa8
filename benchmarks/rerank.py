"""What reranking adds to a question, by the format of the server, and what a server costs that is down or slow.

The stub scores at once, so a figure is the cost of the call: a real model adds its own time, up to the timeout. 30 passages of 1,000
characters, as by default; calls one after another, on a machine that does nothing else.
"""

import time
from contextlib import suppress
from typing import Any

from adapters.rerankers.choose import create_reranker
from adapters.rerankers.http import HttpReranker
from benchmarks.figures import Figure, percentile
from benchmarks.stub_reranker import FORMATS, StubReranker
from benchmarks.stub_server import serving
from schemas.errors import Unavailable
from schemas.settings import RetrievalSettings

QUERY = "灯塔什么时候建成？ When was the lighthouse completed?"
TEXTS = [f"{number} The lighthouse was completed in {1800 + number}. 灯塔建成。" + "x" * 950 for number in range(30)]
WARM_UP, CALLS = 20, 300
OUTAGE_CALLS = 100
SLOW_TIMEOUT_S = 0.2


async def run() -> list[Figure]:
    """Two figures per format, and three of failures."""
    figures: list[Figure] = []
    for name in FORMATS:
        took_ms = await _measure(StubReranker(), CALLS, rerank_provider=name)
        figures += [
            Figure(f"rerank_{name}_p50", round(percentile(took_ms, 0.5), 2), "ms"),
            Figure(f"rerank_{name}_p99", round(percentile(took_ms, 0.99), 2), "ms"),
        ]
    down_ms = await _measure(StubReranker(fault="503"), OUTAGE_CALLS, rerank_provider="jina")
    slow_ms = await _measure(StubReranker(fault="hang"), OUTAGE_CALLS, rerank_provider="jina", rerank_timeout_s=SLOW_TIMEOUT_S)
    return [
        *figures,
        Figure("rerank_down_mean_of_100", round(sum(down_ms) / len(down_ms), 3), "ms"),
        Figure("rerank_hanging_max", round(max(slow_ms), 1), "ms", bar=f"<= {SLOW_TIMEOUT_S * 1000 + 50:g} ms (timeout 200 ms)"),
        Figure("rerank_hanging_mean_of_100", round(sum(slow_ms) / len(slow_ms), 3), "ms"),
    ]


async def _measure(stub: StubReranker, calls: int, **settings: Any) -> list[float]:
    """Milliseconds of each call, failed or not."""
    async with serving(stub) as root:
        reranker = create_reranker(RetrievalSettings(**settings, rerank_url=f"{root}/{settings['rerank_provider']}"))
        assert isinstance(reranker, HttpReranker)
        await reranker.start()
        try:
            if not stub.fault:
                await _rerank(reranker, WARM_UP)
            return await _rerank(reranker, calls)
        finally:
            await reranker.stop()


async def _rerank(reranker: HttpReranker, calls: int) -> list[float]:
    took_ms: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        with suppress(Unavailable):  # the question goes on with the order of the search
            await reranker.rerank(QUERY, TEXTS)
        took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms
