"""Condensing by a model: bounded, charged, and never more than a better search."""

import asyncio
from dataclasses import dataclass, field

import pytest

from adapters.models.dialogue import condensing
from adapters.models.dialogue.condensing import Condenser, format_conversation, parse_question
from adapters.models.port import Completion
from schemas.chats import Question, Turn, Usage
from schemas.errors import Refused, Unavailable
from tests.support.ports import NOW

HISTORY = (Turn("user", "黄鹤楼在哪个城市？"), Turn("assistant", "黄鹤楼位于武汉 [1]。"))
FOLLOW_UP = "它是什么时候建的？"


@dataclass
class Writing:
    """Writes what it is told, raises it, or waits until it is let go."""

    says: str | Exception = "黄鹤楼是什么时候建的？"
    name: str = "writer"
    free: asyncio.Event | None = None
    asked: list[str] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def write(self, instructions: str, text: str, *, max_tokens: int, timeout_s: float) -> Completion:
        assert instructions
        assert max_tokens > 0
        assert timeout_s == 3.0
        self.asked.append(text)
        if self.free is not None:
            await self.free.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return Completion(text=self.says, usage=Usage(prompt_tokens=30, completion_tokens=9))


def question(content: str = FOLLOW_UP, history: tuple[Turn, ...] = HISTORY, summary: str = "") -> Question:
    return Question(
        conversation_id="c",
        message_id="m",
        reply_id="r",
        user_id="u",
        content=content,
        knowledge_base_ids=("kb",),
        history=history,
        reply_partition=0,
        asked_at=NOW,
        summary=summary,
    )


async def test_greetings_are_not_condensed_with() -> None:
    """After nothing else no model is called; beside a question they are not shown to it."""
    writer = Writing()
    polite = (Turn("user", "你好！"), Turn("assistant", "你好，想了解什么？"), Turn("user", "你是谁？"), Turn("assistant", "知识库助手。"))
    made = await Condenser(writer, 3.0).condense(question("它是什么时候建的？", polite))
    assert (made.query, made.by, writer.asked) == ("它是什么时候建的？", "", [])
    await Condenser(writer, 3.0).condense(question(history=(*HISTORY, *polite)))
    (told,) = writer.asked
    assert ("武汉" in told, "知识库助手" in told) == (True, False)


async def test_what_the_model_writes_is_searched_for() -> None:
    made = await Condenser(Writing(), 3.0).condense(question())
    assert (made.query, made.by, made.model) == ("黄鹤楼是什么时候建的？", "writer", "writer")
    assert made.usage == Usage(prompt_tokens=30, completion_tokens=9)


async def test_the_conversation_goes_along_bounded() -> None:
    """Without markers, with the summary of what is older, the question last."""
    told = format_conversation(question(summary="他们谈过名楼。"))
    assert told == "summary: 他们谈过名楼。\nuser: 黄鹤楼在哪个城市？\nassistant: 黄鹤楼位于武汉。\n---\nuser: 它是什么时候建的？"
    long = tuple(Turn("user", "话" * 1_000) for _ in range(9))
    assert len(format_conversation(question(history=long))) < 1_400


@pytest.mark.parametrize(
    "error", [Unavailable("model_unavailable", "down"), Refused("model_refused", "no"), Unavailable("model_unavailable", "3 s")]
)
async def test_rules_take_over_when_it_fails(error: Exception) -> None:
    made = await Condenser(Writing(error), 3.0).condense(question())
    assert "黄鹤楼" in made.query
    assert made.query.endswith(FOLLOW_UP)
    assert (made.by, made.usage) == ("rules", None)


@pytest.mark.parametrize("said", ["", "\n\n", "问" * 500])
async def test_rules_take_over_when_it_writes_something_else_and_it_is_charged(said: str) -> None:
    made = await Condenser(Writing(said), 3.0).condense(question())
    assert (made.by, made.model) == ("rules", "writer")
    assert made.usage is not None


async def test_no_call_without_need() -> None:
    """Nothing was said before, or the question says it all."""
    writing = Writing()
    condenser = Condenser(writing, 3.0)
    assert (await condenser.condense(question(history=()))).query == FOLLOW_UP
    long = "How many paid vacation days does the employee handbook grant in the first calendar year?"
    assert (await condenser.condense(question(long))).by == ""
    assert writing.asked == []


async def test_a_model_that_hangs_holds_up_only_so_many() -> None:
    """The next one is condensed by rules, at once; the places come back."""
    free = asyncio.Event()
    condenser = Condenser(Writing(free=free), 3.0)
    hanging = [asyncio.create_task(condenser.condense(question())) for _ in range(condensing.CALLS_MAX)]
    await asyncio.sleep(0)
    assert (await condenser.condense(question())).by == "rules"
    free.set()
    assert {(await each).by for each in hanging} == {"writer"}
    assert (await condenser.condense(question())).by == "writer"


async def test_without_a_model_the_rules_say_what_they_did() -> None:
    assert (await Condenser(None, 3.0).condense(question())).by == "rules"
    assert (await Condenser(None, 3.0).condense(question("黄鹤楼始建于哪一年？"))).by == ""


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("“黄鹤楼有多高？”", "黄鹤楼有多高？"),
        ("改写后的问题：黄鹤楼有多高？\n因为……", "黄鹤楼有多高？"),
        ("Standalone question: How high is it?", "How high is it?"),
        ("  \n How high?\n", "How high?"),
        ("", ""),
    ],
)
def test_one_line(written: str, line: str) -> None:
    assert parse_question(written) == line
