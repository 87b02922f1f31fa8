"""The reranker over HTTP, against a stub that speaks the format of each kind of server, with its faults."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.rerankers.choose import create_reranker
from adapters.rerankers.formats import FORMATS
from adapters.rerankers.http import HttpReranker
from benchmarks.stub_reranker import FORMATS as STUBBED
from benchmarks.stub_reranker import TEI_TEXTS_MAX, StubReranker, share
from benchmarks.stub_server import serving
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import RetrievalSettings
from schemas.settings.section import Secret

QUERY = "What does celery cost?"
TEXTS = ["The pool opens at four.", "Celery: what it does cost is three euros.", "Leeks cost four euros."]
PASSING = ["429", "503", "cut", "html", "broken", "empty", "too_many", "out_of_range", "negative", "twice", "no_number", "huge"]


@asynccontextmanager
async def opened(stub: StubReranker, provider: Any, **settings: Any) -> AsyncIterator[HttpReranker]:
    """A reranker in front of ``stub``."""
    async with serving(stub) as root:
        values = {
            "rerank_provider": provider,
            "rerank_url": f"{root}/{provider}/",
            "rerank_api_key": Secret("key"),
            "rerank_timeout_s": 5.0,
        }
        made = create_reranker(RetrievalSettings(**(values | settings)))
        assert isinstance(made, HttpReranker)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


def test_the_stub_speaks_every_format() -> None:
    assert set(STUBBED) == set(FORMATS)


@pytest.mark.parametrize("provider", FORMATS)
async def test_texts_are_scored_in_their_order(provider: Any) -> None:
    """Whatever order the server answers in; the request is the one that this kind of server takes."""
    stub = StubReranker(key="key")
    async with opened(stub, provider) as made:
        assert await made.rerank(QUERY, TEXTS) == [share(QUERY, text) for text in TEXTS]
    body = {
        "zhipu": {"model": "rerank", "query": QUERY, "documents": TEXTS, "return_documents": False},
        "jina": {
            "model": "jina-reranker-v2-base-multilingual",
            "query": QUERY,
            "documents": TEXTS,
            "top_n": 3,
            "return_documents": False,
        },
        "cohere": {"model": "rerank-v3.5", "query": QUERY, "documents": TEXTS, "top_n": 3},
        "tei": {"query": QUERY, "texts": TEXTS, "raw_scores": False, "return_text": False, "truncate": True},
    }
    assert stub.stats.last_body == body[provider]
    assert stub.stats.last_path == f"/{provider}/rerank"


async def test_a_name_of_the_settings_is_sent() -> None:
    stub = StubReranker()
    async with opened(stub, "jina", rerank_name="BAAI/bge-reranker-v2-m3") as made:
        await made.rerank(QUERY, TEXTS)
    assert (made.name, stub.stats.last_body["model"]) == ("BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-v2-m3")


@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize("fault", PASSING)
async def test_what_goes_wrong_has_a_name(provider: Any, fault: str) -> None:
    async with opened(StubReranker(fault=fault), provider) as made:
        with pytest.raises(Unavailable) as failed:
            await made.rerank(QUERY, TEXTS)
    assert failed.value.code == "model_unavailable"
    assert failed.value.detail.startswith("rerank: ")


@pytest.mark.parametrize("provider", FORMATS)
async def test_a_wrong_key_is_refused(provider: Any) -> None:
    async with opened(StubReranker(key="another"), provider) as made:
        with pytest.raises(Refused, match="rerank: 401") as refused:
            await made.rerank(QUERY, TEXTS)
    assert refused.value.code == "model_refused"


async def test_many_texts_go_in_calls_of_a_size_that_the_server_takes() -> None:
    stub, texts = StubReranker(), [f"celery {number}" for number in range(2 * TEI_TEXTS_MAX + 5)]
    query = f"celery {2 * TEI_TEXTS_MAX + 1}"
    async with opened(stub, "tei") as made:
        scores = await made.rerank(query, texts)
    assert stub.stats.calls == 3
    assert scores == [share(query, text) for text in texts]


async def test_long_texts_are_shortened_to_what_the_server_takes() -> None:
    stub = StubReranker()
    async with opened(stub, "zhipu") as made:
        await made.rerank("q" * 9_000, ["x" * 9_000])
    assert (len(stub.stats.last_body["query"]), [len(text) for text in stub.stats.last_body["documents"]]) == (4_096, [4_096])


async def test_a_server_that_hangs_is_left_in_time() -> None:
    async with opened(StubReranker(fault="hang"), "jina", rerank_timeout_s=0.2) as made:
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"within 0\.2 s"):
            await made.rerank(QUERY, TEXTS)
    assert time.monotonic() - began < 5


async def test_a_server_that_is_down_does_not_hold_up_every_question() -> None:
    """After failures in a row nothing is sent for a while, then one call probes."""
    stub = StubReranker(fault="503")
    settings = {"rerank_breaker_failures": 2, "rerank_breaker_pause_s": 0.3}
    async with opened(stub, "cohere", **settings) as made:
        for _ in range(5):
            with pytest.raises(Unavailable):
                await made.rerank(QUERY, TEXTS)
        assert stub.stats.calls == 2
        stub.fault = ""
        ended = time.monotonic() + 10
        while time.monotonic() < ended:
            try:
                assert await made.rerank(QUERY, TEXTS) == [share(QUERY, text) for text in TEXTS]
                break
            except Unavailable:
                await asyncio.sleep(0.02)
        else:
            raise AssertionError("it was left alone for ever")
    assert stub.stats.calls == 3


async def test_off_unless_configured() -> None:
    assert create_reranker(RetrievalSettings()) is None
    made = create_reranker(RetrievalSettings(rerank_url="http://127.0.0.1:9"))
    assert isinstance(made, HttpReranker)
    with pytest.raises(Unavailable):
        await made.rerank("q", ["a"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rerank_provider": "tei"}, "CLAW_RETRIEVAL_RERANK_URL"),
        ({"rerank_provider": "jina", "rerank_url": "localhost:8080"}, "is no address"),
        ({"rerank_url": "ftp://host"}, "is no address"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        create_reranker(RetrievalSettings(**settings))


def test_texts_that_are_left_out_come_last() -> None:
    content = b'{"results": [{"index": 2, "relevance_score": 0.9}]}'
    assert FORMATS["jina"].scores(content, 3) == [-math.inf, -math.inf, 0.9]
