"""Chat events: a question, the passages found for it, the answer as it grows, and the record of every message."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from schemas.documents import Locator
from schemas.errors import Problem
from schemas.events import Event

Role = Literal["user", "assistant"]
MessageState = Literal["complete", "failed", "cancelled"]


class Turn(Struct, frozen=True):
    """An earlier message of the conversation."""

    role: Role
    content: str


class Question(Struct, frozen=True, kw_only=True):
    """A question with all that answering needs. ``reply_id`` is also the id of the answer's message.

    ``round`` counts the searches before this one whose documents changed before they could be used.
    """

    conversation_id: str
    message_id: str
    reply_id: str
    user_id: str
    content: str
    knowledge_base_ids: tuple[str, ...]
    system_prompt: str = ""
    history: tuple[Turn, ...] = ()
    reply_partition: int  # where the asking API replica listens
    asked_at: datetime
    round: int = 0


class Passage(Struct, frozen=True, kw_only=True):
    """A piece of a document offered to the model. ``marker`` is its number in the prompt, from 1; ``text`` is literal document text."""

    marker: int
    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...] = ()
    score: float
    text: str
    place: Locator | None = None

    @property
    def locator(self) -> str:
        """Where in the document, for people: page, slide or cells, then the heading path."""
        return " > ".join(filter(None, (str(self.place or ""), *self.headings)))


class Grounding(Struct, frozen=True, kw_only=True):
    """The question with what was found. No passages: the knowledge bases hold no answer, or with a ``problem``: the search failed."""

    question: Question
    query: str
    keywords: tuple[str, ...]
    passages: tuple[Passage, ...]
    retrieve_ms: float = 0.0
    problem: Problem | None = None


class Citation(Struct, frozen=True, kw_only=True):
    """A claim's source. ``quote`` is literally in the passage; ``locator`` is its place and heading path, ``p. 3 > A > B``."""

    marker: int
    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    title: str
    locator: str = ""
    quote: str


class Source(Struct, frozen=True, kw_only=True):
    """A passage as shown to the reader: no text."""

    marker: int
    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    title: str
    locator: str = ""
    score: float


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one answer; ``estimated`` when the provider did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False


class Started(Struct, frozen=True, kw_only=True):
    """``attempt`` fences: it grows with every takeover, and readers drop what lower attempts said."""

    conversation_id: str
    attempt: int
    model: str
    keywords: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


class Extended(Struct, frozen=True, kw_only=True):
    """More text. ``seq`` counts from 1 within the attempt; ``citations`` belong to markers inside ``text``."""

    conversation_id: str
    attempt: int
    seq: int
    text: str
    citations: tuple[Citation, ...] = ()


class Completed(Struct, frozen=True, kw_only=True):
    """The whole answer."""

    conversation_id: str
    attempt: int
    text: str
    citations: tuple[Citation, ...] = ()
    usage: Usage = Usage()
    finish_reason: str = "stop"
    cached: bool = False
    model: str = ""


class Failed(Struct, frozen=True, kw_only=True):
    """No answer; ``problem`` says why."""

    conversation_id: str
    attempt: int
    problem: Problem


class Cancelled(Struct, frozen=True, kw_only=True):
    """Stopped on request; ``text`` is what had been said."""

    conversation_id: str
    attempt: int
    text: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """The record of a message. ``attempt`` 0 is a user's; ``versions`` are the document versions the answer saw, by document key."""

    id: str
    conversation_id: str
    user_id: str
    role: Role
    content: str
    created_at: datetime
    parent_id: str = ""
    state: MessageState = "complete"
    attempt: int = 0
    model: str = ""
    citations: tuple[Citation, ...] = ()
    versions: dict[str, int] = field(default_factory=dict)
    usage: Usage = Usage()
    finish_reason: str = ""
    problem: Problem | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)


class Consumption(Struct, frozen=True, kw_only=True):
    """Tokens spent on one reply; charged once per reply whatever the attempts."""

    user_id: str
    conversation_id: str
    reply_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False


class ChatAsked(Event, tag="claw.chat.asked.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Question


class ChatGrounded(Event, tag="claw.chat.grounded.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Grounding


class ReplyStarted(Event, tag="claw.reply.started.v1", frozen=True, kw_only=True):
    """Subject and key of this and the next four: reply id."""

    data: Started


class ReplyExtended(Event, tag="claw.reply.extended.v1", frozen=True, kw_only=True):
    """The answer grew."""

    data: Extended


class ReplyCompleted(Event, tag="claw.reply.completed.v1", frozen=True, kw_only=True):
    """The answer is whole."""

    data: Completed


class ReplyFailed(Event, tag="claw.reply.failed.v1", frozen=True, kw_only=True):
    """The answer failed."""

    data: Failed


class ReplyCancelled(Event, tag="claw.reply.cancelled.v1", frozen=True, kw_only=True):
    """The answer was stopped."""

    data: Cancelled


class MessageChanged(Event, tag="claw.message.changed.v1", frozen=True, kw_only=True):
    """Subject and key: message id; the partition is the conversation's."""

    data: Message


class UsageRecorded(Event, tag="claw.usage.recorded.v1", frozen=True, kw_only=True):
    """Subject and key: user id."""

    data: Consumption


Answered = ReplyStarted | ReplyExtended | ReplyCompleted | ReplyFailed | ReplyCancelled
