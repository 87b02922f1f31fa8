"""Every topic as plain data: name, key, events, partitions, retention, owner. Nothing here talks to a broker."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from schemas import chats, configs, documents, indexes, limits, records, requests, summaries
from schemas.events import Event
from schemas.settings import KafkaSettings

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIB = 1_048_576
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

Count = Literal["keyed", "replies"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. ``events`` is the tagged union of what it carries; ``retention_ms`` None = compacted for ever.

    ``message_bytes_max`` bounds one record; ``count`` names the setting that says how many partitions it gets at creation.
    """

    name: str
    key: str
    events: Any
    owners: tuple[str, ...]
    summary: str
    retention_ms: int | None
    message_bytes_max: int = MIB
    count: Count = "keyed"
    private: bool = False  # not for analysts

    def partitions(self, kafka: KafkaSettings) -> int:
        """Partitions at creation; of a keyed topic they never change."""
        return kafka.reply_partitions if self.count == "replies" else kafka.partitions

    def configuration(self) -> dict[str, str]:
        """Topic-level configuration as Kafka spells it."""
        config = {"max.message.bytes": str(self.message_bytes_max)}
        if self.retention_ms is None:
            # a tombstone is seen by every rebuild, and deleted text leaves the disk within about a day
            return config | {
                "cleanup.policy": "compact",
                "delete.retention.ms": str(30 * DAY_MS),
                "segment.ms": str(DAY_MS),
                "max.compaction.lag.ms": str(DAY_MS),
            }
        return config | {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}

    def types(self) -> tuple[type[Event], ...]:
        """The event classes of the union, in order."""
        return getattr(self.events, "__args__", None) or (self.events,)


DOCUMENT_KEY = "tenant/kb/document"

DOCUMENTS_SUBMITTED = Topic(
    "claw.documents.submitted.v1",
    DOCUMENT_KEY,
    documents.Submitted,
    ("api", "admit"),
    "The record of documents: submit, replace, delete. Its offset is the document's version.",
    None,
)
DOCUMENTS_QUEUED_EXPRESS = Topic(
    "claw.documents.queued.express.v1",
    DOCUMENT_KEY,
    documents.Queued,
    ("route", "reconcile"),
    "Work for people: parsed first.",
    7 * DAY_MS,
)
DOCUMENTS_QUEUED_BULK = Topic(
    "claw.documents.queued.bulk.v1",
    DOCUMENT_KEY,
    documents.Queued,
    ("route", "reconcile"),
    "Work for machines: parsed when there is room.",
    7 * DAY_MS,
)
DOCUMENTS_CHUNKED = Topic(
    "claw.documents.chunked.v1",
    DOCUMENT_KEY,
    documents.Chunked,
    ("parse",),
    "Batches of chunks, at most 256 KB each.",
    7 * DAY_MS,
)
DOCUMENTS_EMBEDDED = Topic(
    "claw.documents.embedded.v1",
    DOCUMENT_KEY,
    documents.Embedded,
    ("embed", "route"),
    "Batches of chunks with vectors, and requests to remove old points.",
    7 * DAY_MS,
)
DOCUMENTS_PROGRESSED = Topic(
    "claw.documents.progressed.v1",
    DOCUMENT_KEY,
    documents.Progressed,
    ("admit", "route", "parse", "embed", "index", "reconcile"),
    "Where each document stands; what an upstream producer reads to learn the outcome.",
    None,
)
CHATS_ASKED = Topic(
    "claw.chats.asked.v1", "conversation id", chats.ChatAsked, ("api", "generate"), "Questions with bounded history.", 30 * DAY_MS
)
CHATS_GROUNDED = Topic(
    "claw.chats.grounded.v1",
    "conversation id",
    chats.ChatGrounded,
    ("retrieve",),
    "Questions with passages and document versions.",
    30 * DAY_MS,
)
CHATS_ANSWERED = Topic(
    "claw.chats.answered.v1",
    "reply id, in the partition of the asking API replica",
    chats.Answered,
    ("generate",),
    "The answer as it grows; what event streams are relayed from.",
    30 * DAY_MS,
    count="replies",
)
MESSAGES_CHANGED = Topic(
    "claw.messages.changed.v1",
    "message id, in the partition of its conversation",
    chats.MessageChanged,
    ("generate", "api", "digest", "project"),
    "The record of every message with citations, versions, usage, timings; null once its conversation is deleted.",
    None,
)
DIGESTS_ASKED = Topic(
    "claw.digests.asked.v1",
    "conversation id",
    summaries.DigestAsked,
    ("generate",),
    "Branches to summarise, conversations to name.",
    DAY_MS,
)
REQUESTS_ASKED = Topic(
    "claw.requests.asked.v1", "request id", requests.RequestAsked, ("api", "rebuild"), "Questions to the index, with a deadline.", DAY_MS
)
REQUESTS_ANSWERED = Topic(
    "claw.requests.answered.v1",
    "request id, in the partition of the asking API replica",
    requests.RequestAnswered,
    ("lookup",),
    "What was found, for the process that asked.",
    DAY_MS,
    count="replies",
)
CONVERSATIONS_CHANGED = Topic(
    "claw.conversations.changed.v1", "conversation id", records.ConversationChanged, ("api", "digest"), "Conversations.", None
)
KNOWLEDGE_CHANGED = Topic(
    "claw.knowledge.changed.v1", "knowledge base id", records.KnowledgeBaseChanged, ("api",), "Knowledge bases.", None
)
INDEXES_CHANGED = Topic(
    "claw.indexes.changed.v1", "tenant/kb", indexes.IndexPlanChanged, ("api", "rebuild"), "Which build of an index readers see.", None
)
CONFIGS_CHANGED = Topic(
    "claw.configs.changed.v1",
    "configuration key",
    configs.ConfigChanged,
    ("api",),
    "Configuration that changes while everything runs: rate rules, allow and deny lists.",
    None,
)
ACCOUNTS_CHANGED = Topic("claw.accounts.changed.v1", "account id", records.AccountChanged, ("api",), "Accounts, without credentials.", None)
CREDENTIALS_CHANGED = Topic(
    "claw.credentials.changed.v1",
    "credential id",
    records.CredentialChanged,
    ("api",),
    "Hashes of passwords and API keys.",
    None,
    private=True,
)
USAGE_RECORDED = Topic(
    "claw.usage.recorded.v1",
    "user id",
    chats.UsageRecorded,
    ("generate", "digest", "lookup"),
    "Tokens spent, once per reply and purpose.",
    90 * DAY_MS,
)
LIMITS_DECIDED = Topic(
    "claw.limits.decided.v1",
    "deciding process",
    limits.LimitsDecided,
    ("api",),
    "What rate limits decided, counted by process and second.",
    90 * DAY_MS,
)
FEEDBACK_GIVEN = Topic("claw.feedback.given.v1", "user id", chats.FeedbackGiven, ("api",), "What readers think of answers.", 90 * DAY_MS)
DEAD_LETTERS = Topic(
    "claw.dead-letters.v1",
    "original key",
    None,
    ("agent wrapper",),
    "What could not be handled: original bytes as value; place, cause and agent in headers.",
    30 * DAY_MS,
    message_bytes_max=2 * MIB,
)

TOPICS: tuple[Topic, ...] = (
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CHATS_ANSWERED,
    MESSAGES_CHANGED,
    DIGESTS_ASKED,
    REQUESTS_ASKED,
    REQUESTS_ANSWERED,
    CONVERSATIONS_CHANGED,
    KNOWLEDGE_CHANGED,
    INDEXES_CHANGED,
    CONFIGS_CHANGED,
    ACCOUNTS_CHANGED,
    CREDENTIALS_CHANGED,
    USAGE_RECORDED,
    LIMITS_DECIDED,
    FEEDBACK_GIVEN,
    DEAD_LETTERS,
)


def inbox_topic(tenant: str) -> Topic:
    """The topic an upstream system of ``tenant`` writes: its name, not its content, says whose documents they are."""
    return Topic(
        f"claw.inbox.{tenant}.v1",
        "upstream's document id",
        None,
        ("upstream",),
        "Documents from upstream systems, as CloudEvents (docs/upstream.md, docs/inbox.schema.json); a null value deletes.",
        7 * DAY_MS,
    )


def all_topics(inbox_tenants: tuple[str, ...]) -> tuple[Topic, ...]:
    """The fixed topics and one inbox per tenant."""
    return TOPICS + tuple(inbox_topic(tenant) for tenant in inbox_tenants)


def decoder(topic: Topic) -> msgspec.json.Decoder[Event]:
    """Decodes one record of ``topic``; raises msgspec.DecodeError (ValidationError included) on anything else."""
    return msgspec.json.Decoder(topic.events)
