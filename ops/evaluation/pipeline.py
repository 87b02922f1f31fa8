"""The whole product for an evaluation: a stack of its own from nothing, documents through the inbox on Kafka, questions over HTTP.

The measurements are those of an upstream system and a client. Settings of the model and of retrieval are those of the caller; rate limits,
which are set for people, are off.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
import uvloop

from adapters.kafka import connection_options, make_producer
from claw_client import ApiError, Client, DocumentFailed, events
from domain.documents.topics import inbox_topic
from ops.evaluation.questions import EvaluationQuestion, Text
from ops.processes import logs
from ops.stack.embedded import locate
from ops.stack.launch import stack
from ops.stack.state import read_state
from schemas.chats import Turn
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings, Settings

TENANT = "default"  # the tenant whose inbox a stack has
PASSED_ON = ("CLAW_MODEL_", "CLAW_RETRIEVAL_", "CLAW_QDRANT_")
INDEXED_S_MAX = 600.0  # for one document; of thousands the last waits for all others
ENCODED_S_MAX = 3_600.0  # for the second vectors of a corpus, at idle priority
NOTICED_S = 3.0
MISSING_VECTORS = re.compile(r"^claw_second_vectors_missing ([0-9.e+]{1,20}|NaN)$", re.MULTILINE)
ANSWER_S_MAX = 240.0  # longer than the longest answer may take
SESSION_S_MAX = 300.0

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexedCorpus:
    """A knowledge base with a corpus: passage id by document id."""

    knowledge_base: str
    passages: dict[str, str]

    def passages_of(self, documents: Iterable[str]) -> list[str]:
        """The passages of these documents, in their order, each once."""
        return list(dict.fromkeys(self.passages[document] for document in documents))


@dataclass(frozen=True, slots=True)
class PipelineReply:
    """A reply as received by its reader: cited passages in order of appearance. ``state`` is completed, failed or cancelled."""

    state: str
    text: str
    cited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A running stack and its client."""

    client: Client
    kafka: KafkaSettings
    knowledge: str = ""  # host:port of the worker that holds the index

    async def index_corpus(self, name: str, texts: Iterable[Text]) -> IndexedCorpus:
        """Submit the texts to the inbox, and wait until the last one is searchable. Raises DocumentFailed when one fails."""
        base = await self.post("/api/v1/knowledge", {"name": name})
        corpus = IndexedCorpus(str(base["id"]), {})
        client = Client(self.client.session, self.client.headers, corpus.knowledge_base)
        producer = make_producer(connection_options(self.kafka), acks="all")
        await producer.start()
        try:
            for number, text in enumerate(texts):
                document = f"{name}-{number}"
                corpus.passages[document] = text.id
                await producer.send(inbox_topic(TENANT).name, _event(document, text, corpus.knowledge_base), document.encode())
            await producer.flush()
        finally:
            await producer.stop()
        for document in corpus.passages:
            await client.wait_indexed(document, timeout_s=INDEXED_S_MAX)
        return corpus

    async def wait_encoded(self) -> None:
        """Wait until all chunks have their second vector, where the settings ask for one. Raises Unavailable after an hour."""
        try:
            async with asyncio.timeout(ENCODED_S_MAX):
                while True:
                    await asyncio.sleep(NOTICED_S)  # first: the last document is indexed, and what encodes looks every second
                    async with self.client.session.get(f"http://{self.knowledge}/metrics") as answer:
                        found = MISSING_VECTORS.search(await answer.text())
                    if found is None or float(found[1]) == 0:
                        return
        except TimeoutError as error:
            raise Unavailable("overloaded", f"chunks without a second vector after {ENCODED_S_MAX:.0f} s") from error

    async def search(self, corpus: IndexedCorpus, asked: EvaluationQuestion, limit: int) -> list[dict[str, Any]]:
        """The hits of the search endpoint."""
        history = [{"role": turn.role, "content": turn.content} for turn in asked.history]
        body = {"query": asked.text, "history": history, "limit": limit}
        return list((await self.post(f"/api/v1/knowledge/{corpus.knowledge_base}/search", body))["passages"])

    async def ask(self, corpus: IndexedCorpus, asked: EvaluationQuestion) -> PipelineReply:
        """Ask in a conversation of its own, after the questions of the history, turn by turn."""
        return (await self.converse(corpus, [*_questions(asked.history), asked.text]))[-1]

    async def converse(self, corpus: IndexedCorpus, questions: Sequence[str]) -> list[PipelineReply]:
        """The replies to ``questions``, asked one after the other in one new conversation."""
        conversation = await self.post("/api/v1/conversations", {"knowledge_base_ids": [corpus.knowledge_base]})
        replies: list[PipelineReply] = []
        for question in questions:
            state, data = await self._read_reply(str(conversation["id"]), question)
            cited = tuple(corpus.passages[each["document_id"]] for each in data.get("citations", ()))
            replies.append(PipelineReply(state, str(data.get("text", "")), cited))
        return replies

    async def _read_reply(self, conversation: str, question: str) -> tuple[str, dict[str, Any]]:
        async with asyncio.timeout(ANSWER_S_MAX), self.client.ask(conversation, question) as answer:
            async for sent in events(answer.content):
                if sent.name in {"completed", "failed", "cancelled"}:
                    return sent.name, sent.data
        raise Unavailable("overloaded", f"the answer to {question[:80]!r} ended without a terminal event")

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call of the API. Raises Unavailable when it is refused."""
        async with self.client.session.post(path, json=body, headers=self.client.headers) as answer:
            if not answer.ok:
                raise Unavailable("overloaded", f"{path} answered {answer.status}: {(await answer.text())[:300]}")
            return dict(await answer.json())


@contextmanager
def temporary_home(settings: Settings) -> Iterator[Path]:
    """A home for a stack below CLAW_HOME, empty, and removed afterwards."""
    home = settings.node.home.resolve() / "eval"
    shutil.rmtree(home, ignore_errors=True)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def pipeline(home: Path) -> AsyncIterator[Pipeline]:
    """A stack in ``home``, until the block ends. A refusal of the API ends the command."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    timeout = aiohttp.ClientTimeout(total=SESSION_S_MAX)
    async with stack(home, passed | {"CLAW_LIMIT_ENABLED": "false"}) as up, aiohttp.ClientSession(up.url, timeout=timeout) as session:
        state = read_state(home)
        assert state is not None
        key = (home / "key").read_text(encoding="utf-8").strip()
        try:
            yield Pipeline(await Client.with_token(session, key), locate(home).kafka, state.components["knowledge"].where)
        except (ApiError, DocumentFailed) as error:
            raise SystemExit(f"claw: {error}") from error


def evaluate_in_stack(settings: Settings, evaluate: Callable[[Pipeline], Coroutine[Any, Any, T]]) -> T:
    """What ``evaluate`` returns with a stack of its own. Logs have errors only: a table is the output."""
    logs.configure(msgspec.structs.replace(settings.node, log_level="error"), "eval")

    async def run() -> T:
        with temporary_home(settings) as home:
            async with pipeline(home) as running:
                return await evaluate(running)

    return uvloop.run(run())


async def map_bounded(step: Callable[[A], Awaitable[T]], items: Sequence[A], at_once: int) -> list[T]:
    """The results of ``step`` for each item, in their order; at most ``at_once`` are under way."""
    places = asyncio.Semaphore(at_once)

    async def one(item: A) -> T:
        async with places:
            return await step(item)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]


def _event(document: str, text: Text, knowledge_base: str) -> bytes:
    data = {"title": text.title, "text": text.text, "knowledge_base_id": knowledge_base}
    event = {"specversion": "1.0", "id": document, "source": "/claw/eval", "type": "claw.eval.passage", "data": data}
    return msgspec.json.encode(event)


def _questions(history: Sequence[Turn]) -> list[str]:
    return [turn.content for turn in history if turn.role == "user" and turn.content.strip()]
