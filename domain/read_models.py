"""The record tables of the product as data, and the one projection that fills them.

The API's write-through and the ``project`` agent both call ``Views.apply`` with the event and its place on the log, so they write the very
same record with the very same order, and whoever comes second changes nothing.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from adapters.redis.client import RedisClient
from domain.documents.visibility import NO_VERSION
from schemas.chats import Feedback, FeedbackGiven, Message, MessageChanged
from schemas.documents import RANK, DocumentProgressed, Progress
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
from streams.tables.record_table import Put, RecordTable, order_of

BRIEF_MESSAGE_S = 86_400  # answers without a conversation: long enough to read one again, to ask why, and to know a repeat
FEEDBACK_S = 90 * 86_400  # retention of its topic: a rebuild gives the same
ROOT = "-"  # the group of the questions that begin a conversation


class EmailOwner(Struct, frozen=True):
    """Who an e-mail address belongs to, as its newest claim says."""

    account_id: str
    tenant: str


class ReadModels:
    """What the API and agents read. Scopes and ids:

    ======================= ======================== ================= ==========================
    table                   scope                    id                listed by
    ======================= ======================== ================= ==========================
    accounts                account id               account id
    emails                  ``email_scope(address)`` same
    credentials             credential id            credential id
    account_credentials     ``account id/kind``      credential id     created
    conversations           ``tenant/user``          conversation id   last activity
    messages                ``tenant/conversation``  message id        created
    feedback                ``tenant/conversation``  reply id          offset
    knowledge_bases         tenant                   knowledge base id created
    documents               ``tenant/kb``            document id       version
    ======================= ======================== ================= ==========================

    Messages are grouped by their parent. Deleted and revoked records are missing; feedback is kept as long as its topic keeps it.
    Everything raises Unavailable("redis_unavailable").
    """

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self.accounts = RecordTable(redis, prefix, "accounts", Account)
        self.emails = RecordTable(redis, prefix, "emails", EmailOwner)
        self.credentials = RecordTable(redis, prefix, "credentials", Credential)
        self.account_credentials = RecordTable(redis, prefix, "account_credentials", Credential)
        self.conversations = RecordTable(redis, prefix, "conversations", Conversation, lifted=_with_activity)
        self.messages = RecordTable(redis, prefix, "messages", Message)
        self._brief_messages = RecordTable(redis, prefix, self.messages.name, Message, retention_s=BRIEF_MESSAGE_S)
        self.feedback = RecordTable(redis, prefix, "feedback", Feedback, FEEDBACK_S)
        self.knowledge_bases = RecordTable(redis, prefix, "knowledge_bases", KnowledgeBase)
        self.documents = RecordTable(redis, prefix, "documents", Progress)

    async def apply(self, event: Event, place: LogOffset) -> None:
        """Bring the tables up to this event, which lies at ``place``; events no table knows are ignored."""
        match event:
            case MessageChanged():
                await self._put_messages([(event, place)])
            case DocumentProgressed() if has_version(event):
                await self.documents.put_many([progress_put(event)])
            case ConversationChanged(data=conversation):
                await self._put_conversation(conversation, place)
            case FeedbackGiven(data=feedback):
                scope, order = f"{event.tenant}/{feedback.conversation_id}", order_of(place.offset)
                await self.feedback.put(scope, feedback.reply_id, feedback, order=order, rank=place.offset)
            case KnowledgeBaseChanged(data=base):
                value, order, rank = None if base.deleted else base, order_of(place.offset), _rank(base.created_at)
                await self.knowledge_bases.put(base.tenant, base.id, value, order=order, rank=rank)
            case AccountChanged(data=account):
                await self.accounts.put(account.id, account.id, account, order=order_of(place.offset))
                # claims of one address by different accounts lie in different partitions: only their time orders them
                scope, order = email_scope(account.email), order_of(_micros(event.time), place.offset)
                await self.emails.put(scope, scope, EmailOwner(account.id, account.tenant), order=order)
            case CredentialChanged(data=credential):
                await self._put_credential(credential, place)
            case _:
                return

    async def put_brief_message(self, tenant: str, message: Message, place: LogOffset) -> None:
        """Keep an answer that has no conversation record for a day; ``place`` is its question's. The log does not have it as a record."""
        put = Put(
            f"{tenant}/{message.conversation_id}",
            message.id,
            message,
            order_of(message.attempt, place.offset),
            _rank(message.created_at),
        )
        await self._brief_messages.put_many([put])

    async def apply_many(self, events: Sequence[tuple[Event, LogOffset]]) -> list[MessageChanged]:
        """The same for several, those of which there are many in few round trips; the messages of conversations that are deleted."""
        progressed = [progress_put(event) for event, _ in events if isinstance(event, DocumentProgressed) and has_version(event)]
        if progressed:
            await self.documents.put_many(progressed)
        changed = [(event, place) for event, place in events if isinstance(event, MessageChanged)]
        late = await self._put_messages(changed) if changed else []
        for event, place in events:
            if not isinstance(event, DocumentProgressed | MessageChanged):
                await self.apply(event, place)
        return late

    async def find_account(self, email: str) -> Account | None:
        """The account that has this e-mail address now."""
        scope = email_scope(email)
        owner = await self.emails.get(scope, scope)
        account = await self.accounts.get(owner.account_id, owner.account_id) if owner else None
        return account if account and email_scope(account.email) == scope else None

    async def find_password(self, account_id: str) -> Credential | None:
        """The account's newest password that was not revoked."""
        page = await self.account_credentials.list(f"{account_id}/password", limit=1)
        return page.items[0] if page.items else None

    async def _put_messages(self, changed: Sequence[tuple[MessageChanged, LogOffset]]) -> list[MessageChanged]:
        """A question moves its conversation to the top of its owner's list, as it would with an event of its own."""
        late = {put.id for put in await self.messages.put_many([message_put(event, place) for event, place in changed])}
        asked = [(event.tenant, event.data) for event, _ in changed if event.data.role == "user" and event.data.id not in late]
        if asked:
            await self.conversations.raise_ranks([(f"{t}/{m.user_id}", m.conversation_id, _rank(m.created_at)) for t, m in asked])
        return [event for event, _ in changed if event.data.id in late]

    async def _put_conversation(self, conversation: Conversation, place: LogOffset) -> None:
        await self.conversations.put(
            f"{conversation.tenant}/{conversation.user_id}",
            conversation.id,
            None if conversation.deleted else conversation,
            order=order_of(place.offset),
            rank=_rank(conversation.updated_at),
        )
        if conversation.deleted:
            await self.messages.close(f"{conversation.tenant}/{conversation.id}")
            await self.feedback.close(f"{conversation.tenant}/{conversation.id}")

    async def _put_credential(self, credential: Credential, place: LogOffset) -> None:
        value, order, rank = None if credential.revoked else credential, order_of(place.offset), _rank(credential.created_at)
        await self.credentials.put(credential.id, credential.id, value, order=order)
        await self.account_credentials.put(f"{credential.account_id}/{credential.kind}", credential.id, value, order=order, rank=rank)


def message_put(event: MessageChanged, place: LogOffset) -> Put[Message]:
    """A message as its table keeps it."""
    message = event.data
    order = order_of(message.attempt, place.offset)
    scope, group = f"{event.tenant}/{message.conversation_id}", message.parent_id or ROOT
    return Put(scope, message.id, message, order, _rank(message.created_at), group)


def has_version(event: DocumentProgressed) -> bool:
    """False for what was refused at the inbox: its sender is told, but there is no document, or it stands where it stood."""
    return event.data.version > NO_VERSION


def progress_put(event: DocumentProgressed) -> Put[Progress]:
    """A document as its table keeps it."""
    progress = event.data
    value = None if progress.state == "deleted" else progress
    return Put(f"{event.tenant}/{progress.knowledge_base_id}", progress.document_id, value, progress_order(progress), progress.version)


def progress_order(progress: Progress) -> str:
    """Newer versions first, then how far one has come; a deletion that counts what it removed comes after one that could not yet."""
    return order_of(progress.version, RANK[progress.state], progress.done + progress.removed)


def email_scope(address: str) -> str:
    """SHA-256 of the address as it is compared: without regard to case, no address in a key."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def _with_activity(conversation: Conversation, rank: float) -> Conversation:
    """Updated when it was last changed or asked in."""
    seconds, micros = divmod(int(rank), 1_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    return msgspec.structs.replace(conversation, updated_at=at) if at > conversation.updated_at else conversation


def _rank(at: datetime) -> float:
    return float(_micros(at))  # exact: below 2^53 until the year 2255


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond
