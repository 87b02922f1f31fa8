"""Every area, and what is collected from them."""

from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.chats.topics import (
    CHATS_ANSWERED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CONVERSATIONS_CHANGED,
    DIGESTS_ASKED,
    FEEDBACK_GIVEN,
    MESSAGES_CHANGED,
)
from domain.configs.topics import CONFIGS_CHANGED
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_SUBMITTED,
    inbox_topic,
)
from domain.indexes.topics import INDEXES_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.limits.topics import LIMITS_DECIDED
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from domain.usage.topics import USAGE_RECORDED
from streams.dead_letters.topic import DEAD_LETTERS
from streams.topics import Topic

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


def all_topics(inbox_tenants: tuple[str, ...]) -> tuple[Topic, ...]:
    """The fixed topics and one inbox per tenant."""
    return TOPICS + tuple(inbox_topic(tenant) for tenant in inbox_tenants)
