"""Conversations, messages, replies."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.bodies.feedback import FeedbackView
from schemas.bodies.pages import RequestBody
from schemas.chats import Citation, Feedback, Message, MessageState, Outcome, Role, UnsupportedNumber, Usage
from schemas.errors import Problem
from schemas.records import AnswerMode, Conversation, ConversationType
from schemas.thinking import ReasoningEffort, Thinking

KNOWLEDGE_BASES_MAX = 64  # of one conversation, and of one question

Title = Annotated[str, Meta(max_length=200, examples=["Travel rules"])]
SystemPrompt = Annotated[str, Meta(max_length=8_000, examples=["Answer in one sentence."])]
KnowledgeBaseIds = Annotated[
    tuple[UUID, ...],
    Meta(
        max_length=KNOWLEDGE_BASES_MAX, description="The knowledge bases that answers are searched in; empty means all that you can read."
    ),
]
Status = Literal["active", "archived"]
Pinned = Annotated[bool, Meta(description="Whether it is kept at hand; a client shows pinned conversations first.")]
Mode = Annotated[
    AnswerMode,
    Meta(description="`grounded`: answers rest on documents alone. `assistant`: the model may answer without them, and says so."),
]
ModelName = Annotated[
    str, Meta(max_length=256, description="The model that is asked first: a name from `GET /models`; empty = the installation's default.")
]


class ConversationCreate(RequestBody, frozen=True, kw_only=True):
    """A new conversation; every field may be left out."""

    title: Title = ""
    type: ConversationType = "chat"
    system_prompt: SystemPrompt = ""
    knowledge_base_ids: KnowledgeBaseIds = ()
    mode: Annotated[Mode | None, Meta(description="Left out: the mode of the API key, or `grounded`.")] = None
    model: ModelName = ""


class ConversationPatch(RequestBody, frozen=True, kw_only=True):
    """Fields that are left out stay as they are."""

    title: Title | UnsetType = UNSET
    type: ConversationType | UnsetType = UNSET
    system_prompt: SystemPrompt | UnsetType = UNSET
    knowledge_base_ids: KnowledgeBaseIds | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    pinned: Pinned | UnsetType = UNSET
    model: ModelName | UnsetType = UNSET


class ConversationView(Struct, frozen=True, kw_only=True):
    """A conversation as its owner sees it. ``revision`` is also its ETag. ``updated_at`` also moves with every question, but not with a
    title, a pin or the archive.

    ``titled_by``: the origin of the title: a rule, a model, a person, or "" for none yet.
    """

    id: str
    title: str
    titled_by: Literal["", "rule", "model", "person"]
    type: ConversationType
    system_prompt: str
    knowledge_base_ids: tuple[str, ...]
    status: Status
    created_at: datetime
    updated_at: datetime
    revision: int
    mode: AnswerMode
    pinned: bool
    model: str

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationView":
        """The record without tenant and owner."""
        return cls(
            id=conversation.id,
            title=conversation.title,
            titled_by=conversation.titled_by,
            type=conversation.type,
            system_prompt=conversation.system_prompt,
            knowledge_base_ids=conversation.knowledge_base_ids,
            status=conversation.status,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
            revision=conversation.revision,
            mode=conversation.mode,
            pinned=conversation.pinned,
            model=conversation.model,
        )


Content = Annotated[str, Meta(min_length=1, max_length=100_000, examples=["How many days of leave are there?"])]
QuestionMode = Annotated[Mode | None, Meta(description="The mode of this answer; left out, the conversation's.")]
ParentId = Annotated[
    str, Meta(max_length=36, description="The answer to continue; left out, the newest one. null starts a new branch at the beginning.")
]


class ThinkingWish(RequestBody, frozen=True, kw_only=True):
    """What a question says about the model's thinking; left out, the settings of the installation apply."""

    thinking: Annotated[
        Thinking, Meta(description="Whether the model thinks before it answers, as far as it can be told; `auto`: as it is set up.")
    ] = "auto"
    reasoning_effort: Annotated[
        ReasoningEffort, Meta(description="How much it thinks, mapped to the nearest level that the model has; empty: as it is set up.")
    ] = ""
    show_thinking: Annotated[
        bool | None, Meta(description="Whether the stream of the answer has `thinking` events; null: as the installation has it.")
    ] = None


class AnswerWish(ThinkingWish, frozen=True, kw_only=True):
    """What a question says about the model that answers it."""

    model: Annotated[
        str,
        Meta(
            max_length=256,
            description="The model that is asked first: a name from `GET /models`; empty: that of the conversation, or the installation's"
            " default.",
        ),
    ] = ""


class MessageCreate(AnswerWish, frozen=True, kw_only=True):
    """A question. The limit in force is ``CLAW_LIMIT_MESSAGE_CHARS_MAX``."""

    content: Content
    parent_id: ParentId | UnsetType | None = UNSET
    mode: QuestionMode = None


class MessageEdit(AnswerWish, frozen=True, kw_only=True):
    """The edited question. The original and its answers stay, on a branch of their own."""

    content: Content
    mode: QuestionMode = None


class MessageView(Struct, frozen=True, kw_only=True):
    """A message. ``parent_id`` of an answer is its question, of a question the answer it continues ("" begins the conversation).

    ``siblings``, in lists: the ids of all messages with the same parent, this one included and the oldest first, when there are several.
    ``cached``: the answer came from the cache, and cost nothing. ``mode`` and ``outcome``: of complete answers, null for other messages.
    """

    id: str
    conversation_id: str
    role: Role
    content: str
    created_at: datetime
    parent_id: str = ""
    state: MessageState = "complete"
    citations: tuple[Citation, ...] = ()
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    usage: Usage = Usage()
    model: str = ""
    finish_reason: str = ""
    cached: bool = False
    problem: Problem | None = None
    siblings: tuple[str, ...] = ()
    feedback: FeedbackView | None = None
    mode: AnswerMode | None = None
    outcome: Outcome | None = None

    @classmethod
    def of(cls, message: Message, siblings: tuple[str, ...] = (), feedback: Feedback | None = None) -> "MessageView":
        """The record without the operators' fields."""
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            role=message.role,
            content=message.content,
            created_at=message.created_at,
            parent_id=message.parent_id,
            state=message.state,
            citations=message.citations,
            unsupported_numbers=message.unsupported_numbers,
            usage=message.usage,
            model=message.model,
            finish_reason=message.finish_reason,
            cached=message.cached,
            problem=message.problem,
            siblings=siblings if len(siblings) > 1 else (),
            feedback=FeedbackView.of(feedback) if feedback is not None else None,
            mode=message.mode,
            outcome=message.outcome,
        )


class MessageHit(Struct, frozen=True, kw_only=True):
    """A message that has the words of a search. ``excerpt``: the text around the first of them, on one line."""

    conversation: ConversationView
    message_id: str
    role: Role
    created_at: datetime
    excerpt: str


class MessageAccepted(Struct, frozen=True, kw_only=True):
    """The question is on the log. ``stream`` is the path of the answer's event stream. ``queue_position`` is the number of questions before
    this one, ``estimated_wait_s`` the time until it is answered; null when they are unknown.
    """

    message: MessageView
    reply_id: str
    stream: str
    queue_position: int | None = None
    estimated_wait_s: float | None = None


class ReplyView(Struct, frozen=True, kw_only=True):
    """The state of an answer; ``message`` is set once it has ended."""

    reply_id: str
    conversation_id: str
    state: Literal["open", "complete", "failed", "cancelled"]
    stream: str
    message: MessageView | None = None


class CancelAccepted(Struct, frozen=True, kw_only=True):
    """The reply will end as cancelled, unless it ends by itself first."""

    reply_id: str
    conversation_id: str
    stream: str


class OpenReply(Struct, frozen=True, kw_only=True):
    """A reply that has not ended, to the question ``message_id``."""

    reply_id: str
    message_id: str
    stream: str


class ConversationActivity(Struct, frozen=True, kw_only=True):
    """``newest_message_id`` of all branches, "" before the first question; ``revision`` is that of the conversation."""

    conversation_id: str
    revision: int
    newest_message_id: str
    open_reply: OpenReply | None = None


class ConversationUsage(Struct, frozen=True, kw_only=True):
    """Tokens and cost of the ``answers`` of a conversation. ``cost_micros``: millionths of ``currency``. ``estimated``: some answers came
    from a provider that reports no tokens. ``complete``: no older answers were left out.
    """

    conversation_id: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost_micros: int
    currency: str
    complete: bool


class ConversationFile(Struct, frozen=True, kw_only=True):
    """An exported conversation: every branch, messages oldest first; ``parent_id`` makes them a tree."""

    exported_at: datetime
    conversation: ConversationView
    messages: tuple[MessageView, ...]
