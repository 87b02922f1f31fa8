"""Answers that are said again, on a real Redis: exactly as before, only while their documents are as they were, and never elsewhere."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace

from adapters.models.port import AnswerModel, Finish, Piece, Speaker
from adapters.models.prices import Prices
from adapters.models.prompts import NOT_FOUND
from adapters.redis.client import RedisClient
from agents.generate import Generate, answer_cache
from agents.generate.cached_answers import PIECE_CHARS, merge_spans
from domain.documents.visibility import Visibility
from schemas.chats import (
    ChatGrounded,
    Citation,
    Grounding,
    Message,
    MessageChanged,
    Passage,
    Question,
    ReplyCancelled,
    ReplyCompleted,
    ReplyExtended,
    ReplyStarted,
    Sampling,
    Turn,
    Usage,
    UsageRecorded,
)
from schemas.errors import Unavailable
from schemas.settings import ModelSettings, RedisSettings, Settings
from schemas.settings.cache import CacheSettings
from streams.cache import RedisCache
from streams.live import Live
from streams.log.outgoing import Outgoing
from tests.support.generating import EmptyLog
from tests.support.ports import NOW, RememberingPublisher, StandingClock, context, header

SPEAKER = Speaker(model="stub", provider="openai", prompt_hash="ab" * 32, prices=Prices(1.5, 3.0))
PASSAGE = Passage(
    marker=1, chunk_id="c1", knowledge_base_id="kb", document_id="doc", version=5, ordinal=0, title="T", score=1.0, text="灯塔高41.8米。"
)
OTHER = replace(PASSAGE, marker=2, chunk_id="c2", document_id="other", version=6, text="灯塔是红色的。")
MODEL = ModelSettings(provider="openai", base_url="http://stub", name="stub", delta_window_ms=0)


@dataclass
class Stub:
    """A model that cites the first passage, as often as it is asked; it may be held up."""

    name: str = "stub"
    asked: int = 0
    reason: str = "stop"
    said: tuple[str, ...] = ("高41.8米[1]。", "很高。")
    speaker: Speaker = SPEAKER
    others: tuple[str, ...] = ()  # models that may be chosen, too
    may_go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.others)

    async def answer(self, request: Any) -> AsyncIterator[Piece | Finish]:
        self.asked += 1
        speaker = replace(self.speaker, model=request.model) if request.model in self.others else self.speaker
        await self.may_go.wait()
        for text in self.said:
            yield Piece(text, speaker)
        yield Finish(reason=self.reason, usage=Usage(prompt_tokens=10_000_000, completion_tokens=4), speaker=speaker)


@dataclass
class Tables:
    """Turns, views and cancels of one process."""

    stored: dict[str, Message] = field(default_factory=dict)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.messages = self

    async def release(self, tenant: str, conversation: str, reply_id: str) -> None: ...

    @contextmanager
    def subscribe(self, tenant: str, reply_id: str) -> Iterator[asyncio.Event]:
        yield self.cancel

    async def check(self, event: asyncio.Event) -> None: ...

    async def is_closed(self, scope: str) -> bool:
        return False

    async def get(self, scope: str, ident: str) -> Message | None:
        return self.stored.get(ident)

    async def apply(self, event: MessageChanged, place: Any) -> None:
        self.stored[event.data.id] = event.data


@dataclass
class Worker:
    """A chat worker of its own."""

    generate: Generate
    model: Stub
    tables: Tables
    cache: RedisCache

    async def ask(self, event: ChatGrounded) -> list[Outgoing]:
        publisher = RememberingPublisher()
        returned = await self.generate.step(event, context(publisher, attempt=7))
        return [*publisher.sent, *returned]


@pytest.fixture
async def visibility(redis: RedisClient, redis_settings: RedisSettings) -> Visibility:
    made = Visibility(redis, redis_settings.key_prefix)
    for tenant in ("acme", "else"):
        await made.mark_indexed(f"{tenant}/kb/doc", 5)
        await made.mark_indexed(f"{tenant}/kb/other", 6)
    return made


@pytest.fixture
async def worker(redis: RedisClient, redis_settings: RedisSettings, visibility: Visibility):
    """``worker(model=…, setting=…)`` is another process."""
    running: list[RedisCache] = []

    def start(model: ModelSettings = MODEL, *, held: bool = False, **settings: Any) -> Worker:
        cache = RedisCache(redis, redis_settings.key_prefix, Live(CacheSettings(**settings)), StandingClock())
        running.append(cache)
        stub, tables = Stub(name=model.name), Tables()
        if not held:
            stub.may_go.set()
        kept = answer_cache(Live(Settings(model=model, cache=CacheSettings(**settings))), cache, visibility, cast("AnswerModel", stub))
        ports: dict[str, Any] = {"model": stub, "views": tables, "reply_locks": tables, "watch": tables, "reply_log": EmptyLog()}
        return Worker(Generate(**ports, settings=Live(model), visibility=visibility, answer_cache=kept), stub, tables, cache)

    yield start
    for cache in running:
        await cache.stop()


def grounded(reply: str, *, tenant: str = "acme", passages: Sequence[Passage] = (PASSAGE, OTHER), **more: Any) -> ChatGrounded:
    values: dict[str, Any] = {"content": "灯塔多高？", "knowledge_base_ids": ("kb",), **more}
    query = values.pop("query", "灯塔多高？")
    question = Question(
        conversation_id=f"conv-{reply}", message_id="m", reply_id=reply, user_id="u", reply_partition=3, asked_at=NOW, **values
    )
    data = Grounding(question=question, query=query, keywords=("灯塔",), passages=tuple(passages))
    return ChatGrounded(**header(f"g-{reply}", question.conversation_id, tenant), data=data)


def one(sent: Sequence[Outgoing], kind: type) -> Any:
    (found,) = [each.event.data for each in sent if isinstance(each.event, kind)]
    return found


def text(sent: Sequence[Outgoing]) -> str:
    return "".join(each.event.data.text for each in sent if isinstance(each.event, ReplyExtended))


async def test_the_same_question_is_said_again_with_citations_and_costs_nothing(worker):
    here, there = worker(), worker()
    first, again = await here.ask(grounded("r1")), await there.ask(grounded("r2"))
    assert (here.model.asked, there.model.asked) == (1, 0)
    before, completed = one(first, ReplyCompleted), one(again, ReplyCompleted)
    assert (before.cached, completed.cached) == (False, True)
    assert (completed.text, completed.citations, completed.finish_reason) == (before.text, before.citations, "stop")
    assert text(again) == completed.text
    extended = [each.event.data for each in again if isinstance(each.event, ReplyExtended)]
    assert [each.seq for each in extended] == list(range(1, len(extended) + 1))
    assert tuple(citation for each in extended for citation in each.citations) == before.citations
    assert one(again, ReplyStarted).sources == one(first, ReplyStarted).sources
    message = there.tables.stored["r2"]
    assert (message.cached, message.versions, message.usage) == (True, here.tables.stored["r1"].versions, Usage())
    assert (message.model, message.provider, message.prompt_hash, message.cost_micros) == ("stub", "openai", "ab" * 32, 0)
    assert here.tables.stored["r1"].cost_micros > 0
    charge = one(again, UsageRecorded)
    assert (charge.cached, charge.prompt_tokens, charge.completion_tokens, charge.cost_micros) == (True, 0, 0, 0)


async def test_two_models_share_no_answer(worker):
    """The default by its name is the default, and so is a model that there is no more."""
    here = worker()
    here.model.others = ("other",)
    heard = []
    for number, chosen in enumerate(("", "other", "stub", "gone", "other")):
        sent = await here.ask(grounded(f"r{number}", model=chosen))
        completed = one(sent, ReplyCompleted)
        assert one(sent, ReplyStarted).model == completed.model == here.tables.stored[f"r{number}"].model
        heard.append((completed.model, completed.cached))
    assert heard == [("stub", False), ("other", False), ("stub", True), ("stub", True), ("other", True)]


async def test_a_stand_in_for_the_chosen_model_is_not_said_again(worker):
    here = worker()
    here.model.others, here.model.speaker = ("other",), replace(SPEAKER, model="other")
    for reply in ("r1", "r2"):
        assert not one(await here.ask(grounded(reply)), ReplyCompleted).cached
    assert one(await here.ask(grounded("r3", model="other")), ReplyCompleted).model == "other"


async def test_an_answer_said_again_has_the_numbers_it_had(worker):
    """The order in which it cites its sources, whatever their rank is now."""
    here, there = worker(), worker()
    here.model.said = ("是红色的[2]。", "高41.8米[1][2]。")
    first = one(await here.ask(grounded("r1")), ReplyCompleted)
    swapped = (replace(OTHER, marker=1), replace(PASSAGE, marker=2))
    again = await there.ask(grounded("r2", passages=swapped))
    completed = one(again, ReplyCompleted)
    assert (completed.cached, completed.text) == (True, "是红色的[1]。高41.8米[2][1]。")
    assert (completed.text, completed.citations) == (first.text, first.citations)
    assert [(each.marker, each.passage, each.document_id) for each in completed.citations] == [
        (1, 2, "other"),
        (2, 1, "doc"),
        (1, 2, "other"),
    ]
    ranks = {source.marker: source.document_id for source in one(again, ReplyStarted).sources}
    assert [ranks[each.passage] for each in completed.citations] == ["other", "doc", "other"]


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "else"},
        {"knowledge_base_ids": ("kb", "kb2")},
        {"system_prompt": "Be brief."},
        {"history": (Turn("user", "你好"),)},
        {"summary": "他们谈到了灯塔。"},
        {"tone": "support"},
        {"mode": "assistant"},
        {"query": "灯塔有多宽？"},
        {"content": "灯塔多高?!"},
        {"sampling": Sampling(temperature=1.0)},
        {"sampling": Sampling(stop=("x",))},
        {"cache": False},
    ],
    ids=str,
)
async def test_another_context_is_another_question(worker, other):
    here = worker()
    await here.ask(grounded("r1"))
    await here.ask(grounded("r2", **other))
    assert here.model.asked == 2


async def test_another_model_or_provider_is_another_question(worker):
    await worker().ask(grounded("r1"))
    for model in (replace(MODEL, name="larger"), replace(MODEL, base_url="http://elsewhere"), replace(MODEL, temperature=0.9)):
        there = worker(model)
        await there.ask(grounded("r2"))
        assert there.model.asked == 1


async def test_who_asked_and_where_does_not_matter(worker):
    here = worker()
    await here.ask(grounded("r1"))
    sent = await here.ask(grounded("r2", api_key_id="k", ancestors=("a",), reserved=True, sampling=Sampling(max_tokens=MODEL.max_tokens)))
    assert one(sent, ReplyCompleted).cached


@pytest.mark.parametrize("document", ["acme/kb/doc", "acme/kb/other"])
@pytest.mark.parametrize("what", ["mark_indexed", "record_withdrawal"])
async def test_a_changed_or_deleted_document_behind_the_answer_is_asked_anew(worker, visibility, document, what):
    """Cited or only shown: the reader sees both."""
    here = worker()
    await here.ask(grounded("r1"))
    await getattr(visibility, what)(document, 9)
    remaining = [p for p in (PASSAGE, OTHER) if f"acme/kb/{p.document_id}" != document]
    sent = await here.ask(grounded("r2", passages=remaining))
    assert not one(sent, ReplyCompleted).cached
    assert here.model.asked == 2


async def test_news_elsewhere_in_the_knowledge_base_leaves_a_cited_answer(worker, visibility):
    here = worker()
    await here.ask(grounded("r1"))
    await visibility.mark_indexed("acme/kb/unrelated", 7)
    assert one(await here.ask(grounded("r2")), ReplyCompleted).cached
    better = replace(PASSAGE, chunk_id="c9", document_id="unrelated", version=7)
    assert not one(await here.ask(grounded("r3", passages=(better, PASSAGE))), ReplyCompleted).cached


async def test_that_nothing_was_found_is_true_until_a_document_comes(worker, visibility):
    here = worker()
    here.model.said = (NOT_FOUND["zh"],)
    nothing: dict[str, Any] = {"query": "?"}  # passages were found, and the model says that they do not hold it
    await here.ask(grounded("r1", **nothing))
    again = one(await here.ask(grounded("r2", **nothing)), ReplyCompleted)
    assert (again.cached, again.outcome, again.citations) == (True, "not_found", ())
    await visibility.mark_indexed("acme/kb2/new", 7)
    assert one(await here.ask(grounded("r3", **nothing)), ReplyCompleted).cached
    await visibility.mark_indexed("acme/kb/new", 7)
    assert not one(await here.ask(grounded("r4", **nothing)), ReplyCompleted).cached


async def test_regenerating_replaces_what_is_kept(worker):
    here = worker()
    await here.ask(grounded("r1"))
    here.model.said = ("不同的回答[1]。",)
    assert not one(await here.ask(grounded("r2", cache=False)), ReplyCompleted).cached
    assert text(await here.ask(grounded("r3"))) == "不同的回答[1]。"


async def test_only_what_came_to_its_end_is_kept(worker):
    here = worker()
    here.model.reason = "length"
    await here.ask(grounded("r1"))
    await here.ask(grounded("r2"))
    assert here.model.asked == 2


async def test_an_answer_of_a_model_that_stood_in_is_not_kept(worker):
    """It would be said again as the other one's."""
    here = worker()
    here.model.speaker = Speaker(model="smaller", provider="openai")
    await here.ask(grounded("r1"))
    await here.ask(grounded("r2"))
    assert here.model.asked == 2


async def test_many_who_ask_at_once_pay_for_one_answer(worker):
    here, there = worker(held=True), worker(held=True)
    asking = [asyncio.create_task(each.ask(grounded(f"r{n}-{id(each)}"))) for n in range(20) for each in (here, there)]
    while not here.model.asked + there.model.asked:
        await asyncio.sleep(0.005)
    for each in (here, there):
        each.model.may_go.set()
    completed = [one(sent, ReplyCompleted) for sent in await asyncio.gather(*asking)]
    assert here.model.asked + there.model.asked == 1
    assert sum(each.cached for each in completed) == 39
    assert len({each.text for each in completed}) == 1


async def test_who_has_waited_long_enough_asks(worker):
    """The wait is bounded by the clock of the cache, which stands still here: no time at all is left for it."""
    here, there = worker(held=True), worker(answer_wait_s=1e-9)
    asking = asyncio.create_task(here.ask(grounded("r1")))
    while not here.model.asked:
        await asyncio.sleep(0.005)
    assert not one(await there.ask(grounded("r2")), ReplyCompleted).cached
    here.model.may_go.set()
    await asking


async def test_a_cancel_ends_the_waiting(worker):
    here, there = worker(held=True), worker()
    asking = asyncio.create_task(here.ask(grounded("r1")))
    while not here.model.asked:
        await asyncio.sleep(0.005)
    waiting = asyncio.create_task(there.ask(grounded("r2")))
    await asyncio.sleep(0.02)
    there.tables.cancel.set()
    assert isinstance((await waiting)[-2].event, ReplyCancelled)
    assert there.model.asked == 0
    here.model.may_go.set()
    await asking


async def test_an_answer_that_failed_holds_nobody_up(worker):
    """Who waited for it asks at once."""
    here, there = worker(held=True), worker()
    here.model.reason = "length"
    asking = asyncio.create_task(here.ask(grounded("r1")))
    while not here.model.asked:
        await asyncio.sleep(0.005)
    waiting = [asyncio.create_task(there.ask(grounded(f"w{n}"))) for n in range(3)]
    await asyncio.sleep(0.02)
    here.model.may_go.set()
    await asyncio.gather(asking, *waiting)
    assert there.model.asked == 3


async def test_settings_say_whose_answers_are_kept(worker):
    local = ModelSettings(provider="local", name="local")
    assert worker(local).generate.answer_cache is None
    assert worker(local, answers="all").generate.answer_cache is not None
    assert worker(answers="off").generate.answer_cache is None
    off = worker(ai_response_s=0)  # as long as the configuration says so
    assert off.generate.answer_cache.entries.life_s == 0
    for reply in ("r1", "r2"):
        assert not one(await off.ask(grounded(reply)), ReplyCompleted).cached
    assert off.model.asked == 2


async def test_while_nobody_can_tell_what_is_visible_nothing_is_said_again(worker, monkeypatch):
    here = worker()
    await here.ask(grounded("r1"))

    async def unknown(self: Visibility, keys: Sequence[str]) -> dict[str, Any]:
        raise Unavailable("redis_unavailable")

    monkeypatch.setattr(Visibility, "version_states", unknown)
    assert not one(await here.ask(grounded("r2")), ReplyCompleted).cached


def test_pieces_are_few_and_whole():
    citation = Citation(marker=1, chunk_id="c", knowledge_base_id="kb", document_id="d", version=1, title="", quote="q")
    spans = [(f"word {n} ", (citation,) if n % 10 == 0 else ()) for n in range(300)]
    made = merge_spans(spans)
    assert "".join(piece.text for piece in made) == "".join(span for span, _ in spans)
    assert sum(len(piece.citations) for piece in made) == 30
    assert len(made) <= sum(len(span) for span, _ in spans) / PIECE_CHARS + 1


class Reader(Stub):
    """A model that says what its first passage says."""

    async def answer(self, request: Any) -> AsyncIterator[Piece | Finish]:
        self.asked += 1
        yield Piece(f"{request.passages[0].text}[1]。")
        yield Finish(usage=Usage(prompt_tokens=1, completion_tokens=1))


async def test_from_its_change_on_no_worker_says_the_old_text(worker, visibility):
    """Twenty ask two workers while versions come; who asks after a version was acknowledged hears it or a newer one."""
    workers, acknowledged, over, heard = [worker(), worker()], 0, False, Counter[bool]()
    for each in workers:
        each.generate.model = Reader()

    async def client(which: int) -> None:
        n = 0
        while not over:
            n, known = n + 1, acknowledged
            found = replace(PASSAGE, document_id="price", version=known, text=f"number {known}")
            sent = await workers[which % 2].ask(grounded(f"{which}-{n}", passages=(found,), query="price?", content="price?"))
            if not any(isinstance(each.event, ReplyCompleted) for each in sent):
                continue  # the document changed meanwhile, and the question is searched again
            completed = one(sent, ReplyCompleted)
            assert int(completed.text.removeprefix("number ").removesuffix("[1]。")) >= known
            heard[completed.cached] += 1

    await visibility.mark_indexed("acme/kb/price", 0)
    async with asyncio.TaskGroup() as group:
        for which in range(20):
            group.create_task(client(which))
        for version in range(1, 6):
            before = heard.total()
            while heard.total() < before + 40:
                await asyncio.sleep(0.005)
            await visibility.mark_indexed("acme/kb/price", version)
            acknowledged = version
        over = True
    assert heard[True] > heard[False] > 0
