"""Embedders: the local one against its package, the providers against a server that speaks their wire format."""

import asyncio
from dataclasses import dataclass

import pytest
import structlog

from adapters.concurrency import ConcurrencyLimits, Priority
from adapters.embedders import create_embedder
from adapters.embedders.local import LOCAL_MODELS
from adapters.embedders.providers import FAILURES_MAX, PRESETS, TEXTS_PER_CALL
from adapters.models.providers import retries
from adapters.text.language import estimate_tokens
from benchmarks.stub_provider import Stats, StubProvider
from benchmarks.stub_server import serving
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import ModelSettings, RetrievalSettings, Settings
from schemas.settings.section import Secret


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Attempts follow each other at once."""
    monkeypatch.setattr(retries, "BACK_OFF_S", 0.001)


@pytest.fixture(params=["zhipu", "openai"])
async def embedder(request, provider):
    made = create_embedder(
        RetrievalSettings(
            embedding=request.param, embedding_base_url=provider.url, embedding_api_key=Secret("id.secret"), embedding_dimensions=4
        )
    )
    await made.start()
    yield made
    await made.stop()


async def test_vectors_come_in_the_order_of_the_texts(embedder, provider):
    """Whatever order the provider answers in; in batches of at most 64; with the key."""
    texts = ["x" * (n + 1) for n in range(TEXTS_PER_CALL + 6)]
    vectors = await embedder.embed(texts)
    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors[:, 0].tolist() == [float(len(text)) for text in texts]
    assert sorted(len(call["input"]) for call in provider.calls) == [6, TEXTS_PER_CALL]
    assert all(header.startswith("Bearer ") for header in provider.headers)
    assert all(call["dimensions"] == 4 for call in provider.calls)


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (401, Refused), (429, Unavailable), (500, Unavailable), (503, Unavailable)])
async def test_errors_say_what_to_do_next(embedder, provider, status, kind):
    """Refused is the operator's, Unavailable passes."""
    provider.status = status
    with pytest.raises(kind) as raised:
        await embedder.embed(["text"])
    assert raised.value.code == {400: "model_refused", 401: "model_unauthorized"}.get(status, "model_unavailable")


async def test_nobody_listening_is_unavailable():
    """Both, without a hang."""
    for name in ("zhipu", "openai"):
        embedder = create_embedder(
            RetrievalSettings(embedding=name, embedding_base_url="http://127.0.0.1:9/v1", embedding_api_key=Secret("id.secret"))
        )
        await embedder.start()
        with pytest.raises(Unavailable):
            await embedder.embed(["text"])
        await embedder.stop()


async def test_wrong_dimensions_name_the_setting(embedder, provider):
    """An index of another size would be the result."""
    provider.dimensions = 3
    with pytest.raises(Refused, match="CLAW_RETRIEVAL_EMBEDDING_DIMENSIONS"):
        await embedder.embed(["text"])


async def test_too_few_vectors_are_noticed(embedder, provider):
    """Never pair a text with another's vector."""
    rows = [{"object": "embedding", "index": 0, "embedding": [1.0] * 4}]
    provider.reply = {
        "object": "list",
        "model": "m",
        "data": rows,
        "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
    }
    with pytest.raises(Unavailable, match="1 vectors for 2 texts"):
        await embedder.embed(["one", "two"])


@dataclass(frozen=True)
class Listening:
    root: str
    stats: Stats


@pytest.fixture
async def stub():
    """The provider that can fail in many ways, in both dialects."""
    made = StubProvider()
    async with serving(made) as root:
        yield Listening(root, made.stats)


@pytest.fixture(params=["zhipu", "openai"])
async def embedding(request, stub):
    """Makes an embedder of the stub's, by the model's name."""
    made = []

    async def make(name: str, priority: Priority = Priority.DOCUMENTS, permits: int = 0):
        root = stub.root + ("/api/paas/v4" if request.param == "zhipu" else "/v1")
        settings = RetrievalSettings(
            embedding=request.param,
            embedding_base_url=root,
            embedding_api_key=Secret("id.secret"),
            embedding_name=name,
            embedding_dimensions=8,
            embedding_permits=permits,
        )
        made.append(create_embedder(settings, ConcurrencyLimits(Settings(retrieval=settings)), priority))
        await made[-1].start()
        return made[-1]

    yield make
    for embedder in made:
        await embedder.stop()


@pytest.mark.parametrize("fault", ["429&retry_after=0.4", "500", "503", "cut_before", "reset_before"])
async def test_what_passes_is_asked_for_again_when_the_provider_says(embedding, stub, fault):
    """Paid work that went well is not repeated with it: a call is one batch."""
    embedder = await embedding(f"stub?fault={fault}&times=2")
    with structlog.testing.capture_logs() as logs:
        assert (await embedder.embed(["a", "b"])).shape == (2, 8)
    assert stub.stats.requests == 3
    pauses = [line["pause_s"] for line in logs if line["event"] == "embedding_call_retried"]
    assert len(pauses) == 2
    assert all(pause >= 0.4 for pause in pauses) == ("retry_after" in fault)


async def test_a_question_does_not_wait_for_a_provider_that_is_down(embedding, stub):
    """Twice, then it goes on without; after failures in a row the provider is not even asked. A long Retry-After is not waited for."""
    embedder = await embedding("stub?fault=500", Priority.PEOPLE)
    for _ in range(FAILURES_MAX):
        with pytest.raises(Unavailable):
            await embedder.embed(["which topic"])
    assert stub.stats.requests == FAILURES_MAX
    patient = await embedding("stub?fault=429&retry_after=30", Priority.PEOPLE)
    with pytest.raises(Unavailable) as raised:
        await patient.embed(["which topic"])
    assert raised.value.retry_after_s == 30


async def test_calls_in_flight_are_bounded_and_the_last_permit_is_for_people(embedding, stub):
    embedder = await embedding("stub?first_ms=20", permits=3)
    texts = ["x"] * (TEXTS_PER_CALL * 6)
    assert len(await embedder.embed(texts)) == len(texts)
    assert (stub.stats.requests, stub.stats.open_max) == (6, 2)


async def test_a_call_that_nobody_waits_for_is_closed(stub):
    """With the lean client; the SDK's ends by its own timeout."""
    settings = RetrievalSettings(embedding="openai", embedding_base_url=f"{stub.root}/v1", embedding_name="stub?fault=hang_before")
    embedder = create_embedder(settings)
    await embedder.start()
    task = asyncio.create_task(embedder.embed(["text"]))
    async with asyncio.timeout(5):
        while not stub.stats.open:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait((task,))
        while stub.stats.open:
            await asyncio.sleep(0.01)
    assert stub.stats.disconnected == 1
    await embedder.stop()


async def test_embeddings_of_the_chat_models_server_share_its_permits(stub):
    """Where the operator bounded the answering model and said nothing of embeddings."""
    root = f"{stub.root}/v1"
    settings = Settings(
        model=ModelSettings(provider="openai", base_url=root, permits=2),
        retrieval=RetrievalSettings(embedding="openai", embedding_base_url=root, embedding_name="stub?first_ms=20", embedding_dimensions=8),
    )
    embedder = create_embedder(settings.retrieval, ConcurrencyLimits(settings))
    await embedder.start()
    await embedder.embed(["x"] * (TEXTS_PER_CALL * 3))
    assert stub.stats.open_max == 1, "the other permit is left to people"
    await embedder.stop()


async def test_a_text_is_no_longer_than_the_provider_takes(embedder, provider):
    await embedder.embed(["字" * 8_000])
    (sent,) = provider.calls[0]["input"]
    preset = PRESETS["zhipu" if embedder.name.startswith("zhipu") else "openai"]
    assert estimate_tokens(sent) == preset.text_tokens_max


def test_a_provider_without_key_or_address_is_a_configuration_error():
    """Named before anything is opened."""
    with pytest.raises(ConfigurationError, match="CLAW_RETRIEVAL_EMBEDDING_API_KEY"):
        create_embedder(RetrievalSettings(embedding="zhipu"))


def test_names_tell_models_and_sizes_apart():
    """They are part of the index's name."""
    made = {
        create_embedder(
            RetrievalSettings(embedding="openai", embedding_base_url="http://x", embedding_name=name, embedding_dimensions=size)
        ).name
        for name in ("a", "b")
        for size in (0, 8)
    }
    assert len(made | {model.name for model in LOCAL_MODELS.values()}) == 6
