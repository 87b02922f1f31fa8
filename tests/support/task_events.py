"""Events of a chat and of a document, a second apart, and what they say of their tasks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from domain.tasks.fold import Slots, TaskPut, put_step
from domain.tasks.steps import steps_of
from schemas import ids
from schemas.chats import ChatAsked, ChatGrounded, Grounding, Message, MessageChanged, MessageState, Question, Usage
from schemas.documents import Document, DocumentProgressed, DocumentSubmitted, Progress, State
from schemas.errors import Refused, Unavailable
from schemas.events import Event
from streams.log.outgoing import LogOffset

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TASK = ids.task_id("submission")


def question(round_: int = 0) -> Question:
    return Question(
        conversation_id="c", message_id="m", reply_id="r", user_id="u", content="?", knowledge_base_ids=(), reply_partition=0,
        asked_at=NOW, round=round_,
    )  # fmt: skip


def event(kind: type[Event], data: object, second: int, subject: str = "c") -> Event:
    fields = {"id": f"e{second}", "source": "/claw/x", "subject": subject, "tenant": "t", "traceparent": ""}
    return kind(**fields, time=NOW + timedelta(seconds=second), data=data)


def asked(second: int, round_: int = 0) -> Event:
    return event(ChatAsked, question(round_), second)


def grounded(second: int, round_: int = 0) -> Event:
    return event(ChatGrounded, Grounding(question=question(round_), query="?", keywords=(), passages=()), second)


def answered(second: int, state: MessageState, attempt: int = 1) -> Event:
    message = Message(
        id="r", conversation_id="c", user_id="u", role="assistant", content="!", parent_id="m", state=state, attempt=attempt,
        created_at=NOW + timedelta(seconds=second), usage=Usage(completion_tokens=7),
        problem=Refused("event_failed").problem() if state == "failed" else None,
    )  # fmt: skip
    return event(MessageChanged, message, second)


def submitted() -> Event:
    data = Document(knowledge_base_id="k", document_id="d", title="A title", submitted_by="u")
    return DocumentSubmitted(id="submission", source="/claw/api", subject="t/k/d", time=NOW, tenant="t", traceparent="", data=data)


def progressed(second: int, state: State, done: int = 0, *, retries: int = 0, wait_s: float = 0) -> Event:
    """``wait_s``: the version is to be retried so many seconds later."""
    cause = Refused("event_failed").problem() if state == "failed" else Unavailable("url_unreachable").problem() if wait_s else None
    data = Progress(
        knowledge_base_id="k",
        document_id="d",
        version=5,
        state=state,
        task_id=TASK,
        done=done,
        chunks=9,
        cause=cause,
        retries=retries,
        retry_at=NOW + timedelta(seconds=second + wait_s) if wait_s else None,
    )
    return event(DocumentProgressed, data, second, "t/k/d")


def puts_of(events: Sequence[Event]) -> list[TaskPut]:
    """The steps of these events, each at an offset by its time."""
    return [put for each in events for put in steps_of(each, LogOffset("t", 0, int((each.time - NOW).total_seconds())))]


def fold(puts: Sequence[TaskPut]) -> Slots:
    slots: Slots = {}
    for put in puts:
        slots = put_step(slots, put.slot, put.order, put.step)
    return slots
