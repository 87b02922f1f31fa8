"""Views: the one projection, whoever calls it, in whatever order the events come."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.redis.client import RedisClient
from domain.accounts.records import find_account, find_password
from domain.chats.records import ROOT
from domain.read_models import ReadModels
from schemas.chats import Consumption, Message, MessageChanged, UsageRecorded
from schemas.documents import DocumentProgressed, Progress, State
from schemas.events import Event
from schemas.records import (
    Account,
    AccountChanged,
    Conversation,
    ConversationChanged,
    Credential,
    CredentialChanged,
    KnowledgeBase,
    KnowledgeBaseChanged,
)
from streams.log.outgoing import LogOffset

pytestmark = pytest.mark.stack
NOON = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def views(redis: RedisClient, prefix: str) -> ReadModels:
    return ReadModels(redis, prefix)


def event(kind: type[Event], data: Any, at: datetime = NOON) -> Any:
    return kind(id="e", source="/claw/test", subject="s", time=at, tenant="t", traceparent="", data=data)


def at(offset: int) -> LogOffset:
    return LogOffset("topic", 0, offset)


def conversation(id_: str, minute: int = 0, *, deleted: bool = False, revision: int = 1) -> Any:
    return event(
        ConversationChanged,
        Conversation(
            id=id_,
            tenant="t",
            user_id="u",
            created_at=NOON,
            updated_at=NOON + timedelta(minutes=minute),
            deleted=deleted,
            revision=revision,
        ),
    )


def message(id_: str, content: str, attempt: int = 0, minute: int = 0, **more: Any) -> Any:
    fields = {"conversation_id": "c", "role": "user"} | more
    created = NOON + timedelta(minutes=minute)
    return event(MessageChanged, Message(id=id_, user_id="u", content=content, created_at=created, attempt=attempt, **fields))


async def test_conversations_by_last_change(views: ReadModels) -> None:
    """A change moves a conversation to the top; an old event repeated does not move it back."""
    for n, id_ in enumerate("abc"):
        await views.apply(conversation(id_, n), at(n))
    await views.apply(conversation("a", 9, revision=2), at(7))
    await views.apply(conversation("a", 0), at(0))
    assert [each.id for each in (await views.conversations.list("t/u", limit=10)).items] == ["a", "c", "b"]
    found = await views.conversations.get("t/u", "a")
    assert found is not None
    assert (found.revision, found.updated_at) == (2, NOON + timedelta(minutes=9))
    assert await views.conversations.get("other/u", "a") is None


async def test_a_deleted_conversation_takes_its_messages_along(views: ReadModels) -> None:
    """Also those whose event comes late."""
    await views.apply(conversation("c"), at(0))
    await views.apply(message("m1", "hello"), at(3))
    await views.apply(conversation("c", deleted=True, revision=2), at(4))
    await views.apply(message("m2", "late", attempt=1), at(9))
    await views.apply(conversation("c"), at(0))
    assert await views.conversations.get("t/u", "c") is None
    assert (await views.messages.list("t/c", limit=10)).items == []


async def test_a_question_moves_its_conversation_up(views: ReadModels) -> None:
    """Without an event of its own; an answer does not, and neither brings a deleted conversation back."""
    for n, id_ in enumerate("abc"):
        await views.apply(conversation(id_, n), at(n))
    await views.apply(message("m", "hello", minute=7), at(3))
    assert [each.id for each in (await views.conversations.list("t/u", limit=10)).items] == ["c", "b", "a"]
    asked = [(message(f"m{id_}", "hello", minute=20, conversation_id=id_), at(9)) for id_ in "ac"]
    answer = message("r", "hi", minute=30, conversation_id="b", role="assistant")
    await views.apply(conversation("c", 15, deleted=True, revision=2), at(4))
    assert await views.apply_many([*asked, (answer, at(10))]) == [asked[1][0]]
    assert [each.id for each in (await views.conversations.list("t/u", limit=10)).items] == ["a", "b"]
    found = await views.conversations.get("t/u", "a")
    assert found is not None
    assert found.updated_at == NOON + timedelta(minutes=20)


async def test_siblings_have_one_parent(views: ReadModels) -> None:
    for id_, parent, minute in (("q", "", 0), ("r2", "q", 2), ("r1", "q", 1), ("root", "", 5)):
        await views.apply(message(id_, "x", minute=minute, parent_id=parent), at(minute))
    assert await views.messages.group_members("t/c", ["q", ROOT]) == {"q": ("r1", "r2"), ROOT: ("q", "root")}


async def test_the_newest_attempt_of_a_message_stands(views: ReadModels) -> None:
    """Whatever the order: attempt first, then offset; listed by creation."""
    versions = [(message("m", "first", 1), 10), (message("m", "again", 1), 12), (message("m", "takeover", 3), 11)]
    for n, arrival in enumerate(itertools.permutations(versions)):
        scope_view = ReadModels(views.messages._redis, f"{views.messages._prefix}:{n}")
        for each, offset in arrival:
            await scope_view.apply(each, at(offset))
        found = await scope_view.messages.get("t/c", "m")
        assert found is not None
        assert found.content == "takeover"
    await views.apply(message("late", "b", minute=2), at(20))
    await views.apply(message("early", "a", minute=1), at(21))
    assert [each.id for each in (await views.messages.list("t/c", limit=9, newest_first=False)).items] == ["early", "late"]


async def test_document_progress_keeps_version_and_rank(views: ReadModels) -> None:
    """States of one version only go forward; a deletion hides; a newer version shows again."""

    async def progress(version: int, state: State) -> str | None:
        data = Progress(knowledge_base_id="kb", document_id="doc 1", version=version, state=state)
        await views.apply(event(DocumentProgressed, data), at(0))
        found = await views.documents.get("t/kb", "doc 1")
        return found.state if found else None

    steps: list[tuple[int, State]] = [
        (3, "embedding"),
        (3, "queued"),
        (3, "indexed"),
        (3, "parsing"),
        (5, "deleted"),
        (3, "indexed"),
        (8, "queued"),
    ]
    assert [await progress(*step) for step in steps] == ["embedding", "embedding", "indexed", "indexed", None, None, "queued"]
    assert await views.documents.count("t/kb") == 1


def account(id_: str, email: str) -> Account:
    return Account(id=id_, tenant=f"tenant-{id_}", email=email, created_at=NOON)


async def test_an_address_belongs_to_its_newest_claim(views: ReadModels) -> None:
    """Compared without case; freed when its owner takes another; offsets of different partitions are never compared."""
    later = NOON + timedelta(hours=1)
    await views.apply(event(AccountChanged, account("a", "Ann@Example.com")), at(1000))
    found = await find_account(views, " ann@example.COM ")
    assert found is not None
    assert (found.id, found.tenant) == ("a", "tenant-a")
    await views.apply(event(AccountChanged, account("a", "ann@new.example"), later), at(1001))
    assert await find_account(views, "ann@example.com") is None
    await views.apply(event(AccountChanged, account("b", "ann@example.com"), later + timedelta(seconds=1)), at(3))
    await views.apply(event(AccountChanged, account("a", "Ann@Example.com")), at(1000))
    found = await find_account(views, "ann@example.com")
    assert found is not None
    assert found.id == "b"
    assert await find_account(views, "nobody@example.com") is None


async def test_credentials_by_id_and_by_account(views: ReadModels) -> None:
    """A key is found by its id, a password by its account; revoked ones by neither."""

    async def credential(id_: str, kind: Any, offset: int, *, minute: int = 0, revoked: bool = False) -> None:
        created = NOON + timedelta(minutes=minute)
        data = Credential(id=id_, tenant="t", account_id="a", kind=kind, secret_hash="x", created_at=created, revoked=revoked)
        await views.apply(event(CredentialChanged, data), at(offset))

    await credential("p1", "password", 900)
    await credential("k1", "api_key", 5, minute=1)
    await credential("k2", "api_key", 6, minute=2)
    await credential("p2", "password", 3, minute=3)
    newest = await find_password(views, "a")
    assert newest is not None
    assert newest.id == "p2"
    await credential("p2", "password", 4, minute=3, revoked=True)
    await credential("k1", "api_key", 7, minute=1, revoked=True)
    older = await find_password(views, "a")
    assert older is not None
    assert older.id == "p1"
    assert [each.id for each in (await views.account_credentials.list("a/api_key", limit=9)).items] == ["k2"]
    assert await views.credentials.get("k1", "k1") is None
    assert await views.credentials.get("k2", "k2") is not None


async def test_knowledge_bases_of_a_tenant(views: ReadModels) -> None:
    """By creation; deleted ones are gone; events that no table knows are ignored."""
    for offset, (id_, deleted) in enumerate((("a", False), ("b", False), ("a", True))):
        base = KnowledgeBase(id=id_, tenant="t", user_id="u", name=id_, created_at=NOON, updated_at=NOON, deleted=deleted)
        await views.apply(event(KnowledgeBaseChanged, base), at(offset))
    spent = Consumption(user_id="u", conversation_id="c", reply_id="r", model="m", prompt_tokens=3, completion_tokens=4)
    await views.apply(event(UsageRecorded, spent), at(0))
    assert [each.id for each in (await views.knowledge_bases.list("t", limit=9)).items] == ["b"]
