"""A reranker on the whole stack: it orders the passages, and none of its faults costs an answer."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.stub_process import launch_stub_provider, stub_model
from benchmarks.stub_reranker import share
from claw_client import Client, events
from ops.stack.launch import launch
from tests.system.conftest import OwnStack

FAULTS = ["429", "503", "401", "cut", "html", "broken", "empty", "too_many", "out_of_range", "twice", "no_number", "huge", "hang"]
TIMEOUT_S = 1.0
NOTES = {
    "one": "The ferry to Amrum leaves at nine from the harbour of Dagebüll.",
    "two": "Winter: when does the ferry leave to Amrum? At ten.",
    "three": "The island of Amrum has a lighthouse.",
}
QUESTION = "When does the ferry to Amrum leave?"


@pytest.fixture
async def reader(tmp_path: Path, own_stack: OwnStack) -> AsyncIterator[Client]:
    """Somebody with documents, in a stack with a model and a reranker."""
    model = launch_stub_provider()
    reranker = launch([sys.executable, "-m", "benchmarks.stub_reranker", "--port", "0"], "listening ", os.environ)
    async with model as answering, reranker as ordering:
        settings = {
            **stub_model(answering.url, "stub?first_ms=0&token_ms=0&tokens=8&cite=1"),
            "CLAW_RETRIEVAL_RERANK_PROVIDER": "tei",
            "CLAW_RETRIEVAL_RERANK_URL": f"{ordering.url}/tei",
            "CLAW_RETRIEVAL_RERANK_NAME": "stub",
            "CLAW_RETRIEVAL_RERANK_TIMEOUT_S": str(TIMEOUT_S),
            "CLAW_RETRIEVAL_RERANK_BREAKER_FAILURES": "1000",
        }
        async with own_stack(tmp_path / "home", settings) as (_, session):
            client = await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase")
            for name, text in NOTES.items():
                await client.submit(name, text)
            for name in NOTES:
                await client.wait_indexed(name)
            yield client


async def explained(client: Client, question: str) -> dict[str, Any]:
    conversation = await client.create_conversation()
    async with asyncio.timeout(60), client.ask(conversation, question) as answer:
        sent = [each async for each in events(answer.content)]
    assert sent[-1].name == "completed", sent[-1]
    assert sent[-1].data["outcome"] == "answered"
    reply = sent[0].data["reply_id"]
    async with client.session.get(f"/api/v1/conversations/{conversation}/replies/{reply}/explain", headers=client.headers) as answer:
        return dict(await answer.json())


def order(explanation: dict[str, Any]) -> list[str]:
    return [each["document_id"] for each in explanation["passages"]]


async def test_the_reranker_orders_the_passages_and_no_fault_costs_the_answer(reader: Client):
    """With a fault the passages keep the order of the search, and the answer comes in time."""
    explanation = await explained(reader, QUESTION)
    assert explanation["retrieval"]["reranked_by"] == "stub"
    assert order(explanation) == sorted(NOTES, key=lambda name: -share(QUESTION, f"{name}\n{NOTES[name]}"))
    faulty = await asyncio.gather(*(explained(reader, f"{QUESTION} {{fault={fault}}}") for fault in FAULTS))
    for fault, explanation in zip(FAULTS, faulty, strict=True):
        assert (fault, explanation["retrieval"]["reranked_by"]) == (fault, "")
        assert sorted(order(explanation)) == sorted(NOTES)
        assert explanation["timings_ms"]["retrieve"] < TIMEOUT_S * 1000 + 5_000
