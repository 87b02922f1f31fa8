"""documents.progressed, messages.changed, webhooks.changed, notices.changed, dead-letters -> notify -> notices.changed, mails.requested,
deliveries.changed

What happened becomes notices to people and messages to webhooks. Every id follows from what happened and who is told, so an event that is
read again tells nobody twice. A notice itself is what mails and messages of type ``notice.created`` are made of: whoever writes one to the
log, this agent or the API, has it sent through every channel.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from domain import composition
from domain.accounts.records import OPERATORS, OPERATORS_SCOPE
from domain.chats.topics import MESSAGES_CHANGED
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import NO_VERSION
from domain.notices.messages import message_id, new_delivery
from domain.notices.notices import new_notice, notice_event
from domain.notices.records import NOTICE_PREFERENCES, TENANT_WEBHOOKS
from domain.notices.texts import REASONS, notice_text
from domain.notices.topics import DELIVERIES_CHANGED, MAILS_REQUESTED, NOTICES_CHANGED, WEBHOOKS_CHANGED
from domain.read_models import ReadModels
from schemas import ids
from schemas.chats import MessageChanged
from schemas.documents import DocumentProgressed, Progress, State
from schemas.events import Event
from schemas.notices import (
    DeliveryChanged,
    MailRequest,
    MailRequested,
    NoticeChanged,
    Webhook,
    WebhookChanged,
    WebhookEventType,
)
from schemas.records import KnowledgeBase
from schemas.traces import new_traceparent, valid_traceparent
from streams.log.delivery import Delivery
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.topics import DEAD_LETTERS

NAME, DEAD_LETTERS_NAME = "notify", "notify_dead_letters"
WORKER_GROUP = "tables"
WEBHOOKS_MAX = 1_000  # of a tenant that are looked at
OPERATORS_MAX = 50  # that are told of a dead letter
TOGETHER_S = 3_600  # dead letters of one cause, and failures of an import, make one notice in this time
AGE_MAX = timedelta(days=7)  # of an event that somebody is told of: history that is read again is no news


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent of events, and that of dead letters, which are no events."""
    step = Notify(ports.get(composition.read_models))
    return (step.agent(), step.dead_letters_agent())


class Lookups:
    """What the events of one batch look up, each once."""

    def __init__(self, tables: ReadModels) -> None:
        self._tables = tables
        self._webhooks: dict[str, Sequence[Webhook]] = {}
        self._bases: dict[tuple[str, str], KnowledgeBase | None] = {}

    async def webhooks(self, tenant: str, event_type: WebhookEventType) -> Sequence[Webhook]:
        """The tenant's webhooks that want events of this type."""
        if tenant not in self._webhooks:
            self._webhooks[tenant] = (await self._tables.of(TENANT_WEBHOOKS).list(tenant, limit=WEBHOOKS_MAX)).items
        return [webhook for webhook in self._webhooks[tenant] if webhook.wants(event_type)]

    async def knowledge_base(self, tenant: str, base_id: str) -> KnowledgeBase | None:
        """The knowledge base, None when it is gone."""
        key = (tenant, base_id)
        if key not in self._bases:
            self._bases[key] = await self._tables.knowledge_bases.get(tenant, base_id)
        return self._bases[key]


class Notify:
    """The steps, on the record tables."""

    def __init__(self, tables: ReadModels) -> None:
        self._tables = tables

    def agent(self) -> Agent:
        """Reads events."""
        reads = (DOCUMENTS_PROGRESSED, MESSAGES_CHANGED, WEBHOOKS_CHANGED, NOTICES_CHANGED)
        return Agent(name=NAME, reads=reads, step=self.step, step_many=self.step_many, together_max=256, by_turns=False)

    def dead_letters_agent(self) -> Agent:
        """Reads dead letters."""
        return Agent(name=DEAD_LETTERS_NAME, reads=(DEAD_LETTERS,), step=self.report_dead_letter, raw=True)

    async def step(self, event: Event, context: Context) -> Sequence[Outgoing]:
        """What follows from one event."""
        (outgoing,) = await self.step_many([(event, context)])
        return outgoing

    async def step_many(self, events: Sequence[tuple[Event, Context]]) -> Sequence[Sequence[Outgoing]]:
        """What follows from each. Most events concern nobody and cost no round trip."""
        lookups = Lookups(self._tables)
        return [await self._follow(event, lookups, context.clock.now()) for event, context in events]

    async def _follow(self, event: Event, lookups: Lookups, now: datetime) -> Sequence[Outgoing]:
        if now - event.time > AGE_MAX:
            return ()
        if isinstance(event, DocumentProgressed):
            return await self._follow_document(event, lookups, now)
        if isinstance(event, MessageChanged):
            return await self._follow_message(event, lookups, now)
        if isinstance(event, WebhookChanged):
            return await self._follow_webhook(event, now)
        if isinstance(event, NoticeChanged):
            return await self._follow_notice(event, lookups, now)
        return ()

    async def _follow_document(self, event: DocumentProgressed, lookups: Lookups, now: datetime) -> Sequence[Outgoing]:
        """A version became searchable, or failed. Told are webhooks of accounts that may read it, and its owner."""
        progress = event.data
        kind = _DOCUMENT_KINDS.get(progress.state)
        if kind is None or progress.version == NO_VERSION:
            return ()
        base = await lookups.knowledge_base(event.tenant, progress.knowledge_base_id)
        if base is None:
            return ()
        webhooks = await lookups.webhooks(event.tenant, kind)
        readers = [webhook for webhook in webhooks if webhook.account_id == base.user_id or base.sharing == "tenant"]
        cause: tuple[str | int, ...] = (event.subject, progress.version)
        outgoing = [_deliver(event, webhook, kind, _document_data(progress), now, *cause) for webhook in readers]
        if progress.queue != "express":  # an import: nobody wants a notice for each of its documents
            if kind == "document.indexed":
                return outgoing
            cause = (progress.knowledge_base_id, progress.cause.code if progress.cause else "", int(event.time.timestamp()) // TOGETHER_S)
        notice = await new_notice(self._tables, event.tenant, base.user_id, kind, _document_fields(progress), event.time, *cause)
        return outgoing if notice is None else [*outgoing, notice_event(notice, NAME, event.traceparent, now, event.id)]

    async def _follow_message(self, event: MessageChanged, lookups: Lookups, now: datetime) -> Sequence[Outgoing]:
        """An answer is complete. Told are webhooks of the account that asked."""
        message = event.data
        if message.role != "assistant" or message.state != "complete":
            return ()
        data = {
            "conversation_id": message.conversation_id,
            "reply_id": message.id,
            "question_id": message.parent_id,
            "outcome": message.outcome,
            "model": message.model,
            "citations": len(message.citations),
        }
        webhooks = await lookups.webhooks(event.tenant, "reply.completed")
        own = [webhook for webhook in webhooks if webhook.account_id == message.user_id]
        return [_deliver(event, webhook, "reply.completed", data, now, message.id) for webhook in own]

    async def _follow_webhook(self, event: WebhookChanged, now: datetime) -> Sequence[Outgoing]:
        """A webhook was switched off because it fails, or was answered with 410."""
        webhook = event.data
        if webhook.deleted or webhook.disabled not in REASONS:
            return ()
        reason = REASONS[webhook.disabled]
        fields = {
            "webhook_id": webhook.id,
            "url": webhook.url,
            "reason": webhook.disabled,
            "reason_text": reason["en"],
            "reason_text_zh": reason["zh"],
        }
        cause = (webhook.id, webhook.failing_since.isoformat() if webhook.failing_since else "")
        notice = await new_notice(self._tables, webhook.tenant, webhook.account_id, "webhook.disabled", fields, event.time, *cause)
        return [] if notice is None else [notice_event(notice, NAME, event.traceparent, now, event.id)]

    async def _follow_notice(self, event: NoticeChanged, lookups: Lookups, now: datetime) -> Sequence[Outgoing]:
        """A notice was created: told by mail, if the account wants that, and through its webhooks."""
        notice = event.data
        if notice.read_at is not None:
            return ()
        webhooks = await lookups.webhooks(notice.tenant, "notice.created")
        own = [webhook for webhook in webhooks if webhook.account_id == notice.account_id]
        if not own and "mail" not in notice.channels:
            return ()
        preferences = await self._tables.of(NOTICE_PREFERENCES).get(notice.account_id, notice.account_id)
        language = (preferences and preferences.language) or "en"
        text = notice_text(notice.kind, notice.fields, language)
        data = {"id": notice.id, "kind": notice.kind, "title": text.title, "text": text.body, "fields": notice.fields}
        outgoing = [_deliver(event, webhook, "notice.created", data, now, notice.id) for webhook in own]
        account = await self._tables.accounts.get(notice.account_id, notice.account_id) if "mail" in notice.channels else None
        if account is None or account.disabled:
            return outgoing
        request = MailRequest(
            id=ids.derive("mail", notice.id),
            tenant=notice.tenant,
            account_id=account.id,
            address=account.email,
            template="notice",
            language=language,
            fields={"title": text.title, "text": text.body, "name": account.name},
        )
        mail = MailRequested.from_cause(event, NAME, data=request, now=now, subject=request.id)
        return [*outgoing, Outgoing(MAILS_REQUESTED, mail)]

    async def report_dead_letter(self, delivery: Delivery, context: Context) -> Sequence[Outgoing]:
        """A notice to every operator, one an hour for the same agent and cause."""
        fields = {name: delivery.headers.get(name, b"").decode(errors="replace")[:200] for name in ("agent", "code", "topic", "detail")}
        at, now = datetime.fromtimestamp(max(0, delivery.timestamp_ms) / 1000, UTC), context.clock.now()
        if now - at > AGE_MAX:
            return ()
        trace = delivery.headers.get("traceparent", b"").decode(errors="replace")
        traceparent = trace if valid_traceparent(trace) else new_traceparent(secrets.token_bytes)
        cause = (fields["agent"], fields["code"], delivery.timestamp_ms // 1000 // TOGETHER_S)
        outgoing = []
        for operator in (await self._tables.of(OPERATORS).list(OPERATORS_SCOPE, limit=OPERATORS_MAX)).items:
            notice = await new_notice(self._tables, operator.tenant, operator.id, "dead_letter", fields, at, *cause)
            if notice is not None:
                outgoing.append(notice_event(notice, DEAD_LETTERS_NAME, traceparent, now))
        return outgoing


_DOCUMENT_KINDS: Mapping[State, Literal["document.indexed", "document.failed"]] = {
    "indexed": "document.indexed",
    "failed": "document.failed",
}


def _deliver(
    event: Event, webhook: Webhook, event_type: WebhookEventType, data: Mapping[str, Any], now: datetime, *cause: str | int
) -> Outgoing:
    """The message to this webhook. ``event`` caused it; ``cause`` identifies what happened."""
    delivery = new_delivery(webhook, event_type, event.time, data, id=message_id(webhook.id, event_type, *cause), now=now)
    changed = DeliveryChanged.from_cause(event, f"{NAME}:{webhook.id}", data=delivery, now=now, subject=delivery.id)
    return Outgoing(DELIVERIES_CHANGED, changed, key=webhook.id)


def _document_data(progress: Progress) -> Mapping[str, Any]:
    cause = progress.cause
    return {
        "knowledge_base_id": progress.knowledge_base_id,
        "document_id": progress.document_id,
        "version": progress.version,
        "title": progress.title,
        "media_type": progress.media_type,
        "chunks": progress.chunks,
        "cause": None if cause is None else {"code": cause.code, "title": cause.title, "detail": cause.detail, "remedy": cause.remedy},
    }


def _document_fields(progress: Progress) -> Mapping[str, str]:
    fields = {
        "knowledge_base_id": progress.knowledge_base_id,
        "document_id": progress.document_id,
        "title": progress.title or progress.document_id,
    }
    if (cause := progress.cause) is not None:
        fields |= {
            "code": cause.code,
            "cause": _sentence(cause.title),
            "remedy": cause.remedy,
            "cause_zh": cause.title_zh or cause.title,
            "remedy_zh": cause.remedy_zh or cause.remedy,
        }
    return fields


def _sentence(text: str) -> str:
    return f"{text}." if text and not text.endswith(".") else text
