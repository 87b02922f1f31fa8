"""Conversations of any length and content, written into the tables as the projection writes them: asking for them would take an hour."""

import uuid
from datetime import UTC, datetime, timedelta

from domain.read_models import ReadModels
from ops.commands.connections import open_connections
from schemas.chats import Citation, Message, MessageChanged, UnsupportedNumber, Usage
from schemas.settings import Settings
from streams.log.outgoing import LogOffset

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
ANSWER = """Everybody has **25 days** of leave a year [1], and answer {number} says so.

| Year | Days |
|------|-----:|
| 2025 | 25 |
| 2026 | 26 |

1. Ask early.
2. Tell your colleagues, 并通知同事。

```python
def days(year: int) -> int:
    return 25 + (year > 2025)
```
"""
CITATION = Citation(
    marker=1,
    chunk_id="c",
    knowledge_base_id="k",
    document_id="leave",
    version=1,
    title="Leave rules",
    locator="part 1",
    quote="25 days",
    passage=1,
)


async def write_messages(settings: Settings, tenant: str, user: str, conversation: str, count: int) -> list[str]:
    """So many messages in one branch, questions and answers in turn, the last an answer; their ids, the oldest first."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    begin = datetime.now(UTC) - timedelta(days=1)
    messages = []
    for number, ident in enumerate(ids):
        is_answer = number % 2 == 1
        messages.append(
            Message(
                id=ident,
                conversation_id=conversation,
                user_id=user,
                role="assistant" if is_answer else "user",
                content=ANSWER.format(number=number) if is_answer else f"Question {number}: how many days of leave are there?",
                created_at=begin + timedelta(seconds=number),
                parent_id=ids[number - 1] if number else "",
                ancestors=tuple(ids[max(0, number - 20) : number]),
                citations=(CITATION,) if is_answer else (),
                usage=Usage(prompt_tokens=100, completion_tokens=10) if is_answer else Usage(),
                cost_micros=50 if is_answer else 0,
                model="m" if is_answer else "",
            )
        )
    await _write(settings, tenant, messages)
    return ids


async def write_answer(
    settings: Settings,
    tenant: str,
    user: str,
    conversation: str,
    question: str,
    answer: str,
    citations: tuple[Citation, ...] = (),
    unsupported_numbers: tuple[UnsupportedNumber, ...] = (),
) -> str:
    """The first question of a conversation and its answer; the id of the answer."""
    asked, answered, now = str(uuid.uuid4()), str(uuid.uuid4()), datetime.now(UTC)
    first = Message(id=asked, conversation_id=conversation, user_id=user, role="user", content=question, created_at=now)
    second = Message(
        id=answered,
        conversation_id=conversation,
        user_id=user,
        role="assistant",
        content=answer,
        created_at=now + timedelta(seconds=1),
        parent_id=asked,
        ancestors=(asked,),
        citations=citations,
        unsupported_numbers=unsupported_numbers,
        model="m",
    )
    await _write(settings, tenant, [first, second])
    return answered


async def _write(settings: Settings, tenant: str, messages: list[Message]) -> None:
    events = [
        (
            MessageChanged(
                id=each.id, source="/claw/test", subject=each.id, time=each.created_at, tenant=tenant, traceparent=TRACE, data=each
            ),
            LogOffset("test", 0, number),
        )
        for number, each in enumerate(messages)
    ]
    async with open_connections(settings) as (redis, _publisher):
        await ReadModels(redis, settings.redis.key_prefix).apply_many(events)
