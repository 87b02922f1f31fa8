"""From a question to what it can be answered from: on a real index, with real visibility records."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.index.port import Hit
from adapters.models.dialogue.condensing import CondensedQuestion, Condenser
from adapters.models.port import Completion
from adapters.redis.client import connect
from agents.retrieve import Retrieve
from domain.chats.topics import CHATS_GROUNDED
from domain.documents.visibility import Visibility
from domain.retrieval.passages import HitGroup
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import ChatAsked, Grounding, LogPlace, Question, Turn, Usage
from schemas.documents import Locator, TablePart
from schemas.errors import Unavailable
from schemas.events import Event
from schemas.settings import RedisSettings, RetrievalSettings
from streams.live import Live
from streams.log.outgoing import Outgoing
from tests.support.index_library import Library, Plans, closed_engine, opened_engine
from tests.support.ports import NOW, context, header

TENANT = "acme"
TOWER = "阿姆鲁姆灯塔高41.8米，建于1875年，灯光高出海面63米。"
FERRY = "The ferry from Dagebüll calls at the harbour of Wittdün four times a day."
TALK = (Turn("user", "阿姆鲁姆灯塔在哪里？"), Turn("assistant", "在一座岛上 [1]。"))


@pytest.fixture
async def library(redis_settings: RedisSettings, tmp_path: Path) -> AsyncIterator[Library]:
    redis = connect(redis_settings)
    engine = await opened_engine(tmp_path / "one")
    yield Library({"": engine}, Visibility(redis, redis_settings.key_prefix), Plans())
    await closed_engine(engine)
    await redis.aclose()


@dataclass
class Writing:
    """Writes one thing and says what it cost."""

    says: str
    name: str = "writer"

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion:
        assert instructions
        assert text
        assert max_tokens * timeout_s > 0
        return Completion(text=self.says, usage=Usage(prompt_tokens=40, completion_tokens=8))


@dataclass
class Reranking:
    """Prefers texts that have a word, or fails."""

    word: str = ""
    error: Unavailable | None = None
    name: str = "reranker"
    asked: list[str] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        return [float(self.word in text) for text in texts]


def asked(content: str, history: tuple[Turn, ...] = (), **other: Any) -> ChatAsked:
    data = Question(
        conversation_id="c",
        message_id="m",
        reply_id="r",
        user_id="u",
        content=content,
        knowledge_base_ids=("kb",),
        history=history,
        reply_partition=2,
        asked_at=NOW,
        **other,
    )
    return ChatAsked(data=data, **header(ids.derive("asked", content, data.round), "c", TENANT))


def agent(library: Library, *, writer: Any = None, reranker: Any = None, words_decide: bool = True, **settings: Any) -> Retrieve:
    condenser, retrieval = Condenser(writer, 3.0), Live(RetrievalSettings(**settings))
    return Retrieve(library.searching, condenser, reranker, retrieval, 4, "openai", words_decide=words_decide)


async def answer(retrieve: Retrieve, event: ChatAsked) -> tuple[Grounding, list[Outgoing]]:
    first, *others = await retrieve.step(event, context(offset=4711))
    assert first.topic is CHATS_GROUNDED
    grounding: Any = first.event
    return grounding.data, others


async def test_a_question_gets_its_passage_and_its_place_on_the_log(library: Library):
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    await library.add(TENANT, "kb", "ferry", 1, FERRY)
    found, others = await answer(agent(library), asked("阿姆鲁姆灯塔有多高？"))
    assert (found.passages[0].document_id, found.passages[0].text) == ("tower", TOWER)
    assert (found.query, found.condensed_by, found.condense_ms, found.asked) == ("阿姆鲁姆灯塔有多高？", "", 0.0, LogPlace(0, 4711))
    assert found.keywords
    assert others == []


async def test_what_nothing_answers_has_no_passages(library: Library):
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    found, _ = await answer(agent(library), asked("岳阳楼的设计师是谁？"))
    assert (found.passages, found.problem) == ((), None)


VEGETABLES = "单位\t品种\t单价\n公斤\t西芹\t3.2\n公斤\t丝瓜\t4.1"


@pytest.mark.parametrize("question", ["岳阳楼的设计师是谁？", "What is the height of the lighthouse?"])
async def test_a_language_model_judges_for_itself_what_was_found(library: Library, question: str):
    """Few words in common, or another language: with a model that is no reason to keep the passages from it."""
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    found, _ = await answer(agent(library, words_decide=False), asked(question))
    assert [each.document_id for each in found.passages] == ["tower"]
    assert not found.answerable, "which decides where the keyless model has to stand in"
    assert found.meant == ((1,) if question.isascii() else ()), "by which it then answers, as it would without a language model"
    withheld, _ = await answer(agent(library, meaning_min=1.01), asked(question))
    assert (withheld.passages, withheld.answerable) == ((), False)


@pytest.mark.parametrize("question", ["那产假呢？", "不对，我是问产假。"])
async def test_a_named_subject_that_no_passage_holds_is_not_found_by_meaning(library: Library, question: str):
    """Leave of another kind is close in meaning, and not what was asked."""
    await library.add(TENANT, "kb", "leave", 1, "员工每年享有二十五天带薪年假，未休的假期可顺延至次年三月底。")
    talk = (Turn("user", "年假有几天？"), Turn("assistant", "二十五天 [1]。"))
    found, _ = await answer(agent(library), asked(question, talk))
    assert (found.passages, found.answerable) == ((), False)
    found, _ = await answer(agent(library), asked("它可以顺延吗？", talk))
    assert [each.document_id for each in found.passages] == ["leave"]


async def test_a_passage_in_another_language_is_found_by_meaning(library: Library):
    """And only that one; in one language words alone decide."""
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    await library.add(TENANT, "kb", "leave", 1, "员工每年享有二十五天带薪年假，未休的假期可顺延至次年三月底。")
    found, _ = await answer(agent(library), asked("What is the height of the lighthouse?"))
    assert [each.document_id for each in found.passages] == ["tower"]
    assert (found.answerable, found.by_meaning) == (True, True)
    found, _ = await answer(agent(library), asked("阿姆鲁姆灯塔有多高？"))
    assert (found.answerable, found.by_meaning) == (True, False)
    found, _ = await answer(agent(library), asked("Who discovered penicillin?"))
    assert (found.passages, found.answerable) == ((), False)


async def test_words_agree_when_they_do(library: Library):
    await library.add(TENANT, "kb", "prices", 1, VEGETABLES)
    for words_decide in (True, False):
        found, _ = await answer(agent(library, words_decide=words_decide), asked("西芹多少钱？"))
        assert [(each.document_id, found.answerable) for each in found.passages] == [("prices", True)]


async def test_what_names_a_row_is_not_found_by_meaning_in_its_own_language(library: Library):
    """Melon is near celery, and has another price; across languages there is nothing but meaning."""
    part = TablePart(number=1, start=9, end=len(VEGETABLES), total=2, columns=("单位", "品种", "单价"), header=9)
    rows = Hit(
        id="1", collection="kb", document_id="prices", version=1, ordinal=0, title="", headings=(), text=VEGETABLES, score=1.0, bm25=0.0,
        dense=0.9, tables=(part,),
    )  # fmt: skip
    groups = [HitGroup(rows, [rows])]
    assert agent(library).find_meant(CondensedQuestion(query="哈密瓜多少钱？"), groups) == []
    assert agent(library).find_meant(CondensedQuestion(query="How much is celery?"), groups) == groups


@pytest.mark.parametrize(
    ("said", "kind"), [("你好！", "greeting"), ("谢谢", "thanks"), ("Who are you?", "introduction"), ("好的", "consent")]
)
@pytest.mark.parametrize("mode", ["grounded", "assistant"])
async def test_a_greeting_is_not_searched_for(library: Library, said: str, kind: str, mode: str):
    """Nor condensed, which may cost a call, nor reranked."""
    await library.add(TENANT, "kb", "hello", 1, "你好！谢谢。好的。Who are you?")
    reranker, writer = Reranking("x"), Writing("something else")
    found, others = await answer(agent(library, reranker=reranker, writer=writer), asked(said, TALK, mode=mode))
    assert (found.courtesy, found.passages, found.query, found.keywords, others) == (kind, (), "", (), [])
    assert reranker.asked == []


async def test_a_follow_up_is_condensed_by_rules(library: Library):
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    await library.add(TENANT, "kb", "bridge", 1, "大桥建于1911年，长三百米。")
    found, others = await answer(agent(library), asked("它是什么时候建的？", TALK))
    assert found.passages[0].document_id == "tower"
    assert (found.condensed_by, "阿姆鲁姆灯塔" in found.query, others) == ("rules", True, [])


async def test_a_model_condenses_and_is_charged_once_per_reply(library: Library):
    """Searching again because a document changed is another event of another cause, and the same charge."""
    await library.add(TENANT, "kb", "tower", 1, TOWER)
    retrieve = agent(library, writer=Writing("阿姆鲁姆灯塔是什么时候建的？"))
    found, (charge,) = await answer(retrieve, asked("它是什么时候建的？", TALK, api_key_id="key"))
    _, (again,) = await answer(retrieve, asked("它是什么时候建的？", TALK, round=1))
    assert (found.query, found.condensed_by) == ("阿姆鲁姆灯塔是什么时候建的？", "writer")
    assert (charge.topic, charge.event.subject, charge.event.id) == (USAGE_RECORDED, "u", again.event.id)
    spent: Any = charge.event.data
    assert (spent.purpose, spent.model, spent.provider, spent.reply_id) == ("condense", "writer", "openai", "r")
    assert (spent.prompt_tokens, spent.completion_tokens, spent.api_key_id) == (40, 8, "key")


async def test_neighbours_and_copies(library: Library):
    """Two chunks of one document that stand together are one passage; a copy in another document is none."""
    second = "阿姆鲁姆灯塔的灯光可以从23海里外看到，灯塔每天对游客开放。"
    await library.add(TENANT, "kb", "tower", 1, TOWER, second, FERRY)
    found, _ = await answer(agent(library), asked("阿姆鲁姆灯塔有多高？"))
    (tower,) = [each for each in found.passages if len(each.chunk_ids) > 1]
    assert tower.text.split("\n")[:2] == [TOWER, second]
    assert [part.chunk_id for part in tower.parts] == list(tower.chunk_ids)
    await library.add(TENANT, "kb", "copy", 1, TOWER.replace("，", " ， "))
    again, _ = await answer(agent(library), asked("阿姆鲁姆灯塔有多高？"))
    assert len([each for each in again.passages if "41.8" in each.text]) == 1


ROWS = tuple("\n".join(f"- 零件{part}{row}号：价格{row}欧元，{row}天内送到阿姆鲁姆岛" for row in range(12)) for part in "甲乙丙")


async def test_a_list_that_was_cut_is_completed(library: Library):
    """From the index, as far as the budget goes; only of the version that was found."""
    await library.store(TENANT, "kb", "list", 1, *ROWS, place=Locator(page=3))
    await library.show(TENANT, "kb", "list", 1)
    library.candidates = 1
    retrieve = agent(library, passages=1)
    question = "零件乙7号的价格是多少？"
    found, _ = await answer(retrieve, asked(question))
    assert [each.chunk_ids for each in found.passages] == [found.passages[0].chunk_ids]
    assert found.passages[0].text == "\n".join(ROWS)
    small, _ = await answer(agent(library, passages=1, context_tokens=300), asked(question))
    assert ROWS[1] in small.passages[0].text
    assert len(small.passages[0].text) < len("\n".join(ROWS))


async def test_a_reranker_decides_and_its_failure_changes_nothing(library: Library):
    await library.add(TENANT, "kb", "one", 1, "The ferry to Amrum leaves at nine.")
    await library.add(TENANT, "kb", "two", 1, "The ferry to Amrum leaves from Dagebüll in winter.")
    question = "When does the ferry to Amrum leave?"
    plain, _ = await answer(agent(library), asked(question))
    better, worse = ("two", "winter") if plain.passages[0].document_id == "one" else ("one", "nine")
    reranked, _ = await answer(agent(library, reranker=Reranking(worse)), asked(question))
    assert (reranked.passages[0].document_id, reranked.reranked_by, plain.reranked_by) == (better, "reranker", "")
    failing = Reranking(error=Unavailable("model_unavailable", "gone"))
    kept, _ = await answer(agent(library, reranker=failing), asked(question))
    assert (failing.asked, kept.reranked_by) == ([question], "")
    assert [each.document_id for each in kept.passages] == [each.document_id for each in plain.passages]


async def test_failures_are_told_to_whoever_owns_the_reply(library: Library):
    retrieve = agent(library).agent()
    assert retrieve.failed is not None
    problem = Unavailable("index_unavailable", "gone").problem()
    (outgoing,) = await retrieve.failed(asked("阿姆鲁姆灯塔有多高？"), problem, context(offset=4711))
    event: Event = outgoing.event
    assert (event.data.problem, event.data.passages, event.data.asked) == (problem, (), LogPlace(0, 4711))
