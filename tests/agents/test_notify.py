"""What becomes a notice, a mail and a message to a webhook, on real record tables; and that a repeat tells nobody twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agents.notify import Notify
from domain.notices.notices import notice_event
from domain.notices.records import NOTICES
from domain.read_models import ReadModels
from schemas.chats import Message, MessageChanged
from schemas.documents import DocumentProgressed, Progress
from schemas.errors import ClawError
from schemas.notices import (
    Notice,
    NoticeChanged,
    NoticePreferences,
    NoticePreferencesChanged,
    Webhook,
    WebhookChanged,
)
from schemas.records import Account, AccountChanged, KnowledgeBase, KnowledgeBaseChanged
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Outgoing
from tests.support.ports import NOW, context

pytestmark = pytest.mark.stack
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class House:
    def __init__(self, tables: ReadModels) -> None:
        self.tables, self.notify, self.offset = tables, Notify(tables), 0

    async def apply(self, kind: Any, data: Any) -> Any:
        """A record as the projector applies it; its event."""
        self.offset += 1
        event = event_of(kind, data)
        await self.tables.apply(event, LogOffset("t", 0, self.offset))
        return event

    async def follow(self, event: Any) -> list[Any]:
        """The data of what follows from an event, which is the same the second time."""
        first, again = [list(await self.notify.step(event, context())) for _ in range(2)]
        assert [each.event.id for each in first] == [each.event.id for each in again]
        assert [each.event.data.id for each in first] == [each.event.data.id for each in again]
        return [each.event.data for each in first]

    async def webhook(self, account: str, *types: str, **changes: Any) -> Webhook:
        webhook = Webhook(
            id=f"w-{account}-{'-'.join(types)}",
            tenant="acme",
            account_id=account,
            url="https://hooks.test/",
            event_types=types,  # type: ignore[arg-type]
            sealed_secret="s",
            created_at=NOW,
            updated_at=NOW,
            **changes,
        )
        await self.apply(WebhookChanged, webhook)
        return webhook


def event_of(kind: Any, data: Any, *, subject: str = "", time: datetime = NOW) -> Any:
    return kind(
        id=f"{kind.__name__}/{time}",
        source="/claw/test",
        subject=subject or data.id,
        time=time,
        tenant="acme",
        traceparent=TRACE,
        data=data,
    )


def progressed(state: Any, *, version: int = 7, time: datetime = NOW, **changes: Any) -> DocumentProgressed:
    progress = Progress(knowledge_base_id="kb", document_id="d", version=version, state=state, title="手册", **changes)
    return DocumentProgressed(
        id=f"e{version}{state}", source="/claw/index", subject="acme/kb/d", time=time, tenant="acme", traceparent=TRACE, data=progress
    )


@pytest.fixture
async def house(redis, prefix) -> House:
    house = House(ReadModels(redis, prefix))
    base = KnowledgeBase(id="kb", tenant="acme", user_id="ada", name="n", created_at=NOW, updated_at=NOW)
    await house.apply(KnowledgeBaseChanged, base)
    await house.apply(AccountChanged, Account(id="ada", tenant="acme", email="ada@example.com", name="Ada", created_at=NOW))
    return house


async def test_a_document_that_became_searchable_tells_its_owner_and_the_webhooks_that_may_read_it(house):
    """Another account of the tenant hears of it only when the knowledge base is shared; steps before it concern nobody."""
    await house.webhook("ada")
    await house.webhook("ada", "document.failed")
    await house.webhook("bob", "document.indexed")
    for state in ("queued", "parsing", "embedding", "unchanged", "deleted"):
        assert await house.follow(progressed(state)) == []
    delivery, notice = await house.follow(progressed("indexed", chunks=3))
    assert (delivery.webhook_id, delivery.state) == ("w-ada-", "pending")
    payload = msgspec.json.decode(delivery.payload)
    assert (payload["type"], payload["data"]["document_id"], payload["data"]["chunks"]) == ("document.indexed", "d", 3)
    assert (notice.account_id, notice.kind, notice.fields["title"]) == ("ada", "document.indexed", "手册")
    shared = KnowledgeBase(id="kb", tenant="acme", user_id="ada", name="n", sharing="tenant", created_at=NOW, updated_at=NOW)
    await house.apply(KnowledgeBaseChanged, shared)
    told = await house.follow(progressed("indexed", version=8))
    assert [each.webhook_id for each in told if isinstance(each, type(delivery))] == ["w-bob-document.indexed", "w-ada-"]


async def test_a_failure_names_cause_and_remedy_and_an_import_makes_one_notice_an_hour(house):
    cause = ClawError("it has a password", code="document_stalled").problem()
    (notice,) = await house.follow(progressed("failed", cause=cause))
    assert (notice.kind, notice.fields["code"]) == ("document.failed", "document_stalled")
    assert notice.fields["remedy"]
    assert notice.fields["remedy_zh"]
    ids = set()
    for version in range(10, 20):
        (one,) = await house.follow(progressed("failed", version=version, cause=cause, lane="bulk"))
        ids.add(one.id)
    assert len(ids) == 1
    assert await house.follow(progressed("indexed", version=30, lane="bulk")) == []


async def test_history_that_is_read_again_is_no_news(house):
    assert await house.follow(progressed("indexed", time=NOW - timedelta(days=8))) == []


async def test_an_answer_is_a_message_to_the_webhooks_of_who_asked(house):
    await house.webhook("ada", "reply.completed")
    await house.webhook("bob", "reply.completed")
    message = Message(id="m", conversation_id="c", user_id="ada", role="assistant", content="secret text", created_at=NOW, parent_id="q")
    (delivery,) = await house.follow(event_of(MessageChanged, message))
    assert delivery.webhook_id == "w-ada-reply.completed"
    assert "secret text" not in delivery.payload
    for other in (msgspec.structs.replace(message, role="user"), msgspec.structs.replace(message, state="failed")):
        assert await house.follow(event_of(MessageChanged, other)) == []


async def test_a_notice_goes_by_mail_and_webhook_in_the_accounts_language(house):
    """Only when it is created; a webhook that is off keeps the message for a replay."""
    await house.webhook("ada", "notice.created", disabled="owner")
    await house.apply(NoticePreferencesChanged, NoticePreferences(id="ada", tenant="acme", language="zh"))
    notice = Notice(id="n", tenant="acme", account_id="ada", kind="webhook.disabled", channels=("in_app", "mail"), created_at=NOW)
    delivery, mail = await house.follow(event_of(NoticeChanged, notice))
    assert (delivery.state, msgspec.json.decode(delivery.payload)["data"]["title"]) == ("skipped", "一个 Webhook 已停用")
    assert (mail.address, mail.template, mail.language, mail.fields["title"]) == ("ada@example.com", "notice", "zh", "一个 Webhook 已停用")
    assert await house.follow(event_of(NoticeChanged, msgspec.structs.replace(notice, read_at=NOW))) == []


async def test_a_webhook_that_was_switched_off_tells_its_owner(house):
    webhook = await house.webhook("ada")
    for reason in ("", "owner"):
        assert await house.follow(event_of(WebhookChanged, msgspec.structs.replace(webhook, disabled=reason))) == []
    off = msgspec.structs.replace(webhook, disabled="failing", failing_since=NOW - timedelta(days=5))
    (notice,) = await house.follow(event_of(WebhookChanged, off))
    assert (notice.kind, notice.account_id, notice.channels) == ("webhook.disabled", "ada", ("in_app", "mail"))


async def test_dead_letters_of_one_cause_make_one_notice_an_hour_for_every_operator(house):
    for name in ("olga", "omar"):
        await house.apply(AccountChanged, Account(id=name, tenant=name, email=f"{name}@x.y", role="operator", created_at=NOW))
    demoted = Account(id="omar", tenant="omar", email="omar@x.y", role="user", created_at=NOW)
    at_ms = int(NOW.timestamp() * 1000)

    async def told(code: bytes, later_ms: int = 0) -> set[tuple[str, str]]:
        headers = {"agent": b"parse", "code": code, "topic": b"claw.x.v1", "detail": b"d", "traceparent": b"\xff"}
        letter = Delivery(LogOffset("d", 0, 1), None, b"x", at_ms + later_ms, headers)
        sent: list[Outgoing] = list(await house.notify.report_dead_letter(letter, context()))
        return {(each.event.data.account_id, each.event.data.id) for each in sent}

    first = await told(b"event_failed")
    assert {account for account, _ in first} == {"olga", "omar"}
    assert await told(b"event_failed", 60_000) == first
    assert await told(b"event_failed", 3_600_000) & first == set()
    assert await told(b"event_poisonous") & first == set()
    await house.apply(AccountChanged, demoted)
    assert {account for account, _ in await told(b"event_failed")} == {"olga"}


async def test_a_repeat_of_the_creation_leaves_a_read_notice_read(house):
    notice = Notice(id="n", tenant="acme", account_id="ada", kind="document.indexed", created_at=NOW)
    created = notice_event(notice, "notify", TRACE, NOW).event
    read = event_of(NoticeChanged, msgspec.structs.replace(notice, read_at=datetime.now(UTC)))
    for offset, event in enumerate((created, read, created)):
        await house.tables.apply(event, LogOffset("t", 0, offset))
    stored = await house.tables.of(NOTICES).get("ada", "n")
    assert stored is not None
    assert stored.read_at is not None
