"""Chat events: a question, the passages found for it, the answer as it grows, and the record of every message."""

from datetime import datetime
from typing import Literal, Self
from urllib.parse import quote

from msgspec import Struct, field

from schemas.documents import Locator, TablePart
from schemas.errors import Problem
from schemas.events import Event
from schemas.records import AnswerMode, ConversationType
from schemas.thinking import ReasoningEffort, Thinking

Role = Literal["user", "assistant"]
MessageState = Literal["complete", "failed", "cancelled"]
Door = Literal["conversation", "query", "openai"]
Purpose = Literal["answer", "failed_answer", "unshown_answer", "condense", "summary", "title", "embedding"]
Courtesy = Literal["greeting", "thanks", "farewell", "consent", "introduction", "wordless"]
ReplyEnd = Literal["", "answered", "not_found", "unsourced", "courtesy", "failed", "cancelled"]
Outcome = Literal["answered", "not_found", "unsourced", "courtesy"]
"""``answered``: with citations; ``not_found``: it says that the knowledge bases do not contain it; ``unsourced``: text without citations;
``courtesy``: to a greeting and the like. The last three have no citation.
"""


class LogPlace(Struct, frozen=True):
    """The log offset of an event on its topic, by which it can be read again."""

    partition: int
    offset: int


def locator_of(place: Locator | None, headings: tuple[str, ...], ordinal: int) -> str:
    """A place and a heading path for people: ``p. 3 > A > B``; of a text with neither the number of its chunk: ``part 3``."""
    return " > ".join(filter(None, (str(place or ""), *headings))) or f"part {ordinal + 1}"


def document_path(knowledge_base_id: str, document_id: str) -> str:
    """The path of a document in the HTTP API."""
    return f"/api/v1/knowledge/{knowledge_base_id}/documents/{quote(document_id, safe='')}"


class Turn(Struct, frozen=True):
    """An earlier message of the conversation."""

    role: Role
    content: str


class Sampling(Struct, frozen=True, kw_only=True):
    """The sampling parameters of a question; 0, None, (), "auto" and "" stand for those of the settings."""

    max_tokens: int = 0
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    thinking: Thinking = "auto"
    reasoning_effort: ReasoningEffort = ""


class Question(Struct, frozen=True, kw_only=True):
    """A question with all the data that answering needs. ``reply_id`` is also the id of the answer's message.

    ``round`` counts the searches before this one whose documents changed before they could be used. ``history`` is the newest part of the
    branch that the question continues, ``summary`` stands for the turns before it. ``door`` is the route of the question: behind ``query``
    and ``openai`` there is no conversation record, and the answer's message is not on the log. ``ancestors`` of its message: see Message.
    """

    conversation_id: str
    message_id: str
    reply_id: str
    user_id: str
    content: str
    knowledge_base_ids: tuple[str, ...]
    system_prompt: str = ""
    history: tuple[Turn, ...] = ()
    reply_partition: int  # the partition that the asking API replica follows
    asked_at: datetime
    round: int = 0
    summary: str = ""
    ancestors: tuple[str, ...] = ()
    door: Door = "conversation"
    sampling: Sampling = Sampling()
    api_key_id: str = ""  # the credential that asked, when it was an API key
    reserved: bool = False  # a reservation of an open reply and tokens stands for the answer, until its usage is recorded
    cache: bool = True  # whether a cached answer to the same question in the same context may be returned
    tone: ConversationType = "chat"
    shows_thinking: bool = False  # the model's thinking is published as it comes, for readers that want it
    mode: AnswerMode = "grounded"
    retry_of: str = ""  # the reply whose question is answered once more
    model: str = ""  # the name of the model that is asked first; "", or one that is no longer configured: the first of the settings


class PassagePart(Struct, frozen=True, kw_only=True):
    """One of the chunks that a passage was merged from: its own text begins at character ``start`` of the passage's text."""

    chunk_id: str
    start: int
    headings: tuple[str, ...] = ()
    place: Locator | None = None
    ordinal: int = 0

    @property
    def locator(self) -> str:
        """The location, in the form of ``Passage.locator``."""
        return locator_of(self.place, self.headings, self.ordinal)


class Passage(Struct, frozen=True, kw_only=True):
    """A piece of a document offered to the model. ``marker`` is its number in the prompt, from 1; ``text`` is literal document text.

    ``chunk_ids`` and ``parts``: all the chunks that ``text`` was merged from, in order, when there is more than ``chunk_id``. ``tables``:
    where rows are in it. ``computed`` is what was worked out from a whole table, in a sentence; ``text`` then has the rows it rests on.
    """

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
    chunk_ids: tuple[str, ...] = ()
    parts: tuple[PassagePart, ...] = ()
    tables: tuple[TablePart, ...] = ()
    computed: str = ""

    @property
    def locator(self) -> str:
        """The location in the document, for people: page, slide or cells, then the heading path; never empty."""
        return locator_of(self.place, self.headings, self.ordinal)


class Grounding(Struct, frozen=True, kw_only=True):
    """The question with its passages. No passages: the knowledge bases hold no answer, or with a ``problem``: the search failed.

    ``query`` is the text of the search: the question, condensed with its history by ``condensed_by`` ("" = not condensed, ``rules``, or
    the model's name). ``asked`` is the log offset of the question's event. ``courtesy``: the question is a greeting or the like, and
    nothing was searched for. ``answerable``: the judgement of words alone (``models.grounding.answerability``), by which the keyless model
    answers; a language model judges for itself. ``reranked_by``: the model that ordered the passages; "" for the order of the search.
    ``by_meaning``: the passages share no words with the question, and were found by their vectors alone. ``meant``: the markers of those
    that were, where words do not answer and a language model judges: by them the keyless model answers when it has to stand in.
    """

    question: Question
    query: str
    keywords: tuple[str, ...]
    passages: tuple[Passage, ...]
    retrieve_ms: float = 0.0
    problem: Problem | None = None
    condensed_by: str = ""
    condense_ms: float = 0.0
    asked: LogPlace | None = None
    courtesy: Courtesy | None = None
    answerable: bool = True
    reranked_by: str = ""
    by_meaning: bool = False
    meant: tuple[int, ...] = ()


class Citation(Struct, frozen=True, kw_only=True):
    """A claim's source. ``quote`` is literally in the passage; ``locator`` is its place and heading path, ``p. 3 > A > B``.

    ``marker`` is its number in the answer, where sources count from 1 in the order in which they are first cited; ``passage`` the number
    of the same source in ``Started.sources`` and in the prompt (0 of citations recorded before answers had numbers of their own).
    ``url`` is the absolute URL of the document, empty where ``CLAW_PUBLIC_URL`` was not set.
    """

    marker: int
    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    title: str
    locator: str = ""
    quote: str
    passage: int = 0
    url: str = ""


class UnsupportedNumber(Struct, frozen=True, kw_only=True):
    """A number of a language model's answer that stands in no passage that it cites; the position in characters of the text."""

    text: str
    start_index: int
    end_index: int


class Source(Struct, frozen=True, kw_only=True):
    """A passage as shown to the reader: no text. ``marker`` is its rank, and its number in the prompt: ``Citation.passage``."""

    marker: int
    chunk_id: str
    knowledge_base_id: str
    document_id: str
    version: int
    title: str
    locator: str = ""
    score: float


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one answer; ``estimated`` when the provider reports none.

    ``reasoning_tokens``: those of the completion that were thinking; ``cached_tokens``: those of the prompt that the provider had cached.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    reasoning_tokens: int = 0
    cached_tokens: int = 0


class Started(Struct, frozen=True, kw_only=True):
    """The start of an answer. ``attempt`` is its fencing number: every takeover raises it, and readers drop events of lower attempts."""

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


class Thought(Struct, frozen=True, kw_only=True):
    """More of what the model thinks before it answers: no part of the answer. ``seq`` counts from 1 within the attempt, apart from the
    text's.
    """

    conversation_id: str
    attempt: int
    seq: int
    text: str


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
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    outcome: Outcome | None = None


class Failed(Struct, frozen=True, kw_only=True):
    """A reply that failed; ``problem`` is the cause."""

    conversation_id: str
    attempt: int
    problem: Problem


class Cancelled(Struct, frozen=True, kw_only=True):
    """A reply that was stopped on request; ``text`` is the part generated until then."""

    conversation_id: str
    attempt: int
    text: str = ""


class Message(Struct, frozen=True, kw_only=True):
    """The record of a message. ``attempt`` 0 is a user's; ``versions`` are the document versions the answer rests on, by document key.

    Messages form a tree: ``parent_id`` of an answer is its question, of a question the answer it continues ("" begins the conversation).
    ``ancestors`` are the newest messages above it, oldest first, bounded: the branch is read in one round trip. ``summary``
    of an answer stands for everything in its branch up to and including the message ``summarised``. ``asked`` and ``grounded`` are the log
    offsets of the events that the answer was generated from; ``prompt_hash`` is the SHA-256 of the prompt as it was sent. ``mode`` and
    ``outcome`` are those of a complete answer; None before there were any, and for other messages.
    """

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
    ancestors: tuple[str, ...] = ()
    summary: str = ""
    summarised: str = ""
    provider: str = ""
    cached: bool = False
    cost_micros: int = 0  # millionths of the currency of the settings
    prompt_hash: str = ""
    asked: LogPlace | None = None
    grounded: LogPlace | None = None
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    mode: AnswerMode | None = None
    outcome: Outcome | None = None


class Consumption(Struct, frozen=True, kw_only=True):
    """Tokens spent on one reply; charged once per reply and purpose whatever the attempts. ``cached``: no provider was paid.

    Purpose ``embedding``: vectors that a program asked for; ``reply_id`` is then the request's id, and there is no conversation.
    Purpose ``failed_answer``: what a model spent that gave no answer, before the same or another one was asked again.
    Purpose ``unshown_answer``: what an answer cost that was not shown to its end: its worker lost the reply to another, or the log did not
    take it. The installation pays for it, not the user, API key or tenant.
    ``ended``: how the reply of purpose ``answer`` ended; a reply that nobody was paid for is recorded, too, and costs nothing. "" of events
    before there was this field. ``knowledge_base_ids``: where its question searched.
    """

    user_id: str
    conversation_id: str
    reply_id: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False
    provider: str = ""
    cost_micros: int = 0
    purpose: Purpose = "answer"
    cached: bool = False
    api_key_id: str = ""
    reserved: bool = False  # this event settles the reservation of the answer
    reasoning_tokens: int = 0  # of the completion tokens
    cached_tokens: int = 0  # of the prompt tokens
    ended: ReplyEnd = ""
    knowledge_base_ids: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        usage: Usage,
        *,
        user_id: str,
        conversation_id: str,
        reply_id: str,
        model: str,
        provider: str,
        cost_micros: int,
        purpose: Purpose = "answer",
        cached: bool = False,
        api_key_id: str = "",
        reserved: bool = False,
        ended: ReplyEnd = "",
        knowledge_base_ids: tuple[str, ...] = (),
    ) -> Self:
        """With the tokens of ``usage``."""
        return cls(
            user_id=user_id,
            conversation_id=conversation_id,
            reply_id=reply_id,
            model=model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            estimated=usage.estimated,
            provider=provider,
            cost_micros=cost_micros,
            purpose=purpose,
            cached=cached,
            api_key_id=api_key_id,
            reserved=reserved,
            reasoning_tokens=usage.reasoning_tokens,
            cached_tokens=usage.cached_tokens,
            ended=ended,
            knowledge_base_ids=knowledge_base_ids,
        )


class RatingBefore(Struct, frozen=True, kw_only=True):
    """The rating that a later one replaces."""

    rating: Literal["up", "down"]
    tags: tuple[str, ...] = ()


class Feedback(Struct, frozen=True, kw_only=True):
    """A reader's rating of an answer. A later one replaces the earlier one of the same user.

    ``requests``: ids of the last requests with an ``Idempotency-Key`` that rated the answer; a late repeat of one of them changes nothing.
    ``replied_at`` and ``knowledge_base_ids`` are those of the answer, None and () before there were these fields; ``replaces``: what the
    same user had said of it before.
    """

    user_id: str
    conversation_id: str
    reply_id: str
    rating: Literal["up", "down"]
    comment: str = ""
    tags: tuple[str, ...] = ()
    model: str = ""
    requests: tuple[str, ...] = ()
    replied_at: datetime | None = None
    knowledge_base_ids: tuple[str, ...] = ()
    replaces: RatingBefore | None = None


class ChatAsked(Event, tag="claw.chat.asked.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Question


class ChatGrounded(Event, tag="claw.chat.grounded.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Grounding


class ReplyStarted(Event, tag="claw.reply.started.v1", frozen=True, kw_only=True):
    """The answer began. Subject and key of this and the next five: reply id."""

    data: Started


class ReplyExtended(Event, tag="claw.reply.extended.v1", frozen=True, kw_only=True):
    """The answer grew."""

    data: Extended


class ReplyThought(Event, tag="claw.reply.thought.v1", frozen=True, kw_only=True):
    """The model thought. Only where the question asks for its thinking; it is no part of the answer and in no record."""

    data: Thought


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


class FeedbackGiven(Event, tag="claw.feedback.given.v1", frozen=True, kw_only=True):
    """Subject and key: user id."""

    data: Feedback


Answered = ReplyStarted | ReplyExtended | ReplyThought | ReplyCompleted | ReplyFailed | ReplyCancelled
