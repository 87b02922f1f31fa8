"""Questions without a conversation, and the state of their answers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.conversations import AnswerWish, KnowledgeBaseIds, Mode, SystemPrompt
from schemas.chats import Citation, Message, Outcome, UnsupportedNumber, Usage
from schemas.errors import Problem

QuestionText = Annotated[str, Meta(min_length=1, max_length=100_000, examples=["How many days of leave are there?"])]
AnswerTokens = Annotated[int, Meta(ge=1, le=131_072, description="The longest answer; the limit of the installation applies as well.")]
Temperature = Annotated[float, Meta(ge=0, le=2)]


class QueryRequest(AnswerWish, frozen=True, kw_only=True):
    """The limit of a question in force is ``CLAW_LIMIT_MESSAGE_CHARS_MAX``."""

    question: QuestionText
    system_prompt: SystemPrompt = ""
    max_tokens: AnswerTokens | None = None
    temperature: Temperature | None = None
    mode: Annotated[Mode | None, Meta(description="Left out: the mode of the API key, or `grounded`.")] = None


class QueryManyRequest(QueryRequest, frozen=True, kw_only=True):
    """A question to several knowledge bases; without any, to all that you can read (at most 64)."""

    knowledge_base_ids: KnowledgeBaseIds = ()


class QueryView(Struct, frozen=True, kw_only=True):
    """The state of an answer, available for a day; ``stream`` is the path of its events."""

    reply_id: str
    state: Literal["open", "complete", "failed", "cancelled"]
    stream: str
    answer: str = ""
    citations: tuple[Citation, ...] = ()
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    usage: Usage = Usage()
    model: str = ""
    finish_reason: str = ""
    cached: bool = False
    problem: Problem | None = None
    outcome: Outcome | None = None

    @classmethod
    def of(cls, message: Message, stream: str) -> "QueryView":
        """An answer that has ended."""
        return cls(
            reply_id=message.id,
            state=message.state,
            stream=stream,
            answer=message.content,
            citations=message.citations,
            unsupported_numbers=message.unsupported_numbers,
            usage=message.usage,
            model=message.model,
            finish_reason=message.finish_reason,
            cached=message.cached,
            problem=message.problem,
            outcome=message.outcome,
        )


class QueryCancelAccepted(Struct, frozen=True, kw_only=True):
    """The answer will end as cancelled, unless it ends by itself first."""

    reply_id: str
    stream: str
