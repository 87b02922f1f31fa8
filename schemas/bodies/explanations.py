"""The explanation of an answer: everything that went into it, and its outcome."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.bodies.feedback import FeedbackView
from schemas.chats import Citation, Courtesy, Door, LogPlace, MessageState, Outcome, Usage
from schemas.errors import Problem
from schemas.records import AnswerMode


class QuestionExplained(Struct, frozen=True, kw_only=True):
    """``searches``: the number of searches, more than one when documents changed meanwhile. ``summary`` replaces older history."""

    content: str
    asked_at: datetime
    door: Door
    history_messages: int
    summary: str
    system_prompt: str
    knowledge_base_ids: tuple[str, ...]
    searches: int
    mode: AnswerMode


class RetrievalExplained(Struct, frozen=True, kw_only=True):
    """``query``: the text of the search; ``condensed_by``: "" = the question itself, ``rules``, or a model's name. ``courtesy``: the
    question was a greeting or the like, and nothing was searched for. ``answerable``: what the words alone say, by which the
    ``local`` model decides. ``reranked_by``: the model that ordered the passages, "" when it was the search alone.
    """

    query: str
    condensed_by: str
    keywords: tuple[str, ...]
    problem: Problem | None
    courtesy: Courtesy | None
    answerable: bool
    reranked_by: str


class PassageExplained(Struct, frozen=True, kw_only=True):
    """A passage of the search. ``offered``: its document was still visible when the answer began, so it was in the prompt. ``marker`` is
    its number in the prompt; in the text it has the number of its citation.
    """

    marker: int
    chunk_ids: tuple[str, ...]
    knowledge_base_id: str
    document_id: str
    version: int
    title: str
    locator: str
    score: float
    text: str
    offered: bool
    cited: bool


class PromptMessage(Struct, frozen=True):
    """A chat message as sent to the model."""

    role: Literal["system", "user", "assistant"]
    content: str


class PromptExplained(Struct, frozen=True, kw_only=True):
    """The prompt, rebuilt from the recorded events. ``exact``: byte for byte what was sent, because its SHA-256 is the recorded one.
    Otherwise the rules or the settings have changed since, or none was recorded.
    """

    messages: tuple[PromptMessage, ...]
    sha256: str
    recorded_sha256: str
    exact: bool


class AttemptExplained(Struct, frozen=True, kw_only=True):
    """One attempt of a worker. ``ended_as`` is null when it was abandoned: its worker died, or lost the lease to the next one."""

    attempt: int
    model: str
    started_at: datetime | None
    first_text_at: datetime | None
    ended_at: datetime | None
    ended_as: Literal["completed", "failed", "cancelled"] | None
    characters: int


class Hop(Struct, frozen=True, kw_only=True):
    """The time of a step, from its event; ``ms`` since the question."""

    name: Literal["asked", "grounded", "started", "first_text", "ended", "stored"]
    at: datetime
    ms: float


class DocumentExplained(Struct, frozen=True, kw_only=True):
    """A document that the answer was made from. ``visible``: the version readers see now, null when it was deleted or is unknown."""

    knowledge_base_id: str
    document_id: str
    version: int
    visible: int | None


class Explanation(Struct, frozen=True, kw_only=True):
    """The whole explanation. Parts that have expired on the log are null, and ``missing`` says why, by part: ``asked``, ``grounded``,
    ``answered``, ``prompt``.
    """

    reply_id: str
    conversation_id: str
    state: MessageState
    text: str
    question: QuestionExplained | None
    retrieval: RetrievalExplained | None
    passages: tuple[PassageExplained, ...]
    prompt: PromptExplained | None
    provider: str
    model: str
    usage: Usage
    cost_micros: int
    cached: bool
    finish_reason: str
    outcome: Outcome | None
    problem: Problem | None
    attempt: int
    attempts: tuple[AttemptExplained, ...]
    hops: tuple[Hop, ...]
    timings_ms: dict[str, float]
    documents: tuple[DocumentExplained, ...]
    citations: tuple[Citation, ...]
    feedback: FeedbackView | None
    traceparent: str
    places: dict[str, LogPlace]
    missing: dict[str, str]
