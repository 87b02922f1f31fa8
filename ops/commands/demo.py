"""``claw demo``: starts the whole stack, streams cited answers, and stops it.

It starts ``claw up`` in a folder and on ports of its own, and uses only its HTTP API.
"""

import asyncio
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp

from claw_client import ApiError, Client, DocumentFailed, events
from ops.stack.launch import stack
from schemas.settings import Settings

ANSWER_S_MAX = 60.0
POLL_S = 0.2  # the demo keeps to the rate limits: 30 requests a minute to /knowledge, twice that at once
DOCS = Path(__file__).resolve().parents[2] / "docs"

DOCUMENTS = {
    "overview": DOCS / "overview.md",
    "overview-zh": DOCS / "zh" / "overview.md",
    "design": DOCS / "design.md",
    "operations": DOCS / "operations.md",
}
QUESTIONS = (
    ("文档的版本号是从哪里来的？", True),
    ("What is the attempt of a leased agent, and why does it grow with every takeover?", True),
    ("Which spices belong into a Moroccan lamb tagine?", False),
)


async def run(settings: Settings) -> int:
    """Exit status: 0 when both answers cite a document and the third states that nothing was found."""
    began = time.monotonic()
    home = settings.node.home.resolve() / "demo"
    shutil.rmtree(home, ignore_errors=True)
    async with stack(home, {}, show=True) as up, aiohttp.ClientSession(base_url=up.url) as session:
        print(
            f"\nthe stack is up after {time.monotonic() - began:.1f} s; everything below goes through {up.url}, where the pages are, too\n"
        )
        client = await Client.register(session, "demo@example.org", secrets.token_urlsafe(24))
        try:
            await _load(client)
            right = [await _ask(client, question, answerable=answerable) for question, answerable in QUESTIONS]
        except (ApiError, DocumentFailed) as error:
            raise SystemExit(f"claw: {error}") from error
        print()
    print(f"\n{sum(right)} of {len(right)} answers as they should be; the stack is stopped; {time.monotonic() - began:.1f} s in all")
    return 0 if all(right) else 1


async def _load(client: Client) -> None:
    began = time.monotonic()
    for name, path in DOCUMENTS.items():
        await client.submit(name, path.read_text(encoding="utf-8"), media_type="text/markdown")
    for name in DOCUMENTS:
        state = await client.wait_indexed(name, poll_s=POLL_S)
        print(f"document {name}: version {state['version']}, {state['chunks']} chunks")
    print(f"{len(DOCUMENTS)} documents searchable after {time.monotonic() - began:.2f} s")


async def _ask(client: Client, question: str, *, answerable: bool) -> bool:
    """Print the answer as it streams; returns whether it is as expected."""
    conversation = await client.create_conversation()
    print(f"\n> {question}\n")
    began = time.monotonic()
    first_s, citations, ended = 0.0, [], ""
    async with asyncio.timeout(ANSWER_S_MAX), client.ask(conversation, question) as answer:
        async for sent in events(answer.content):
            if sent.name == "delta":
                first_s = first_s or time.monotonic() - began
                print(sent.data["text"], end="", flush=True)
            elif sent.name == "citation":
                citations.append(sent.data)
            elif sent.name in {"completed", "failed", "cancelled"}:
                ended = sent.name
                break
    print("\n")
    for citation in citations:
        _print_citation(citation)
    print(f"  {ended}: first text after {first_s * 1000:.0f} ms, end after {(time.monotonic() - began) * 1000:.0f} ms")
    return ended == "completed" and bool(citations) == answerable


def _print_citation(citation: dict[str, Any]) -> None:
    print(
        f"  [{citation['marker']}] {citation['document_id']}, {citation.get('locator') or citation['title']}\n      “{citation['quote']}”"
    )
