"""The read models: every record table of the product, as the areas declare them.

======================= ======================== ================= ==========================
table                   scope                    id                listed by
======================= ======================== ================= ==========================
accounts                account id               account id
emails                  ``email_scope(address)`` same
credentials             credential id            credential id
account_credentials     ``account id/kind``      credential id     created
tenant_accounts         tenant                   account id        created
tenant_api_keys         tenant                   credential id     created
invitations             ``all``                  invitation id     created
tenant_invitations      tenant                   invitation id     created
organisations           tenant                   tenant
sessions                session id               session id
account_sessions        account id               session id        created
identities              identity id              identity id
conversations           ``tenant/user``          conversation id   last activity
tenant_conversations    tenant                   conversation id   created
messages                ``tenant/conversation``  message id        created
feedback                ``tenant/conversation``  reply id          offset
knowledge_bases         tenant                   knowledge base id created
account_knowledge_bases ``tenant/user``          knowledge base id created
documents               ``tenant/kb``            document id       version
record_keys             ``tenant/kb``            document id
notices                 account id               notice id         created
unread_notices          account id               notice id         created
notice_preferences      account id               account id
mail_results            mail id                  mail id
webhooks                account id               webhook id        created
tenant_webhooks         tenant                   webhook id        created
deliveries              webhook id               delivery id       created
operators               ``all``                  account id        created
schedules               tenant                   schedule id       created
last_ticks              schedule id              schedule id
jobs                    tenant                   job id            created
schedule_jobs           schedule id              job id            created
======================= ======================== ================= ==========================

Messages are grouped by their parent, documents of ``record_keys`` by the key. Deleted and revoked records are missing; feedback stays as
long as its topic keeps it.
"""

from adapters.redis.client import RedisClient
from domain.accounts.records import ACCOUNT_CREDENTIALS, ACCOUNTS, CREDENTIALS, EMAILS
from domain.accounts.sessions import ACCOUNT_SESSIONS, SESSIONS
from domain.areas import RECORDS
from domain.chats.records import BRIEF_MESSAGE_S, CONVERSATIONS, FEEDBACK, MESSAGES, TENANT_CONVERSATIONS, put_brief_message
from domain.documents.records import DOCUMENTS
from domain.knowledge.area import ACCOUNT_KNOWLEDGE_BASES, KNOWLEDGE_BASES
from schemas.chats import Message
from streams.log.outgoing import LogOffset
from streams.tables.projection import Tables


class ReadModels(Tables):
    """The tables of all areas; raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        super().__init__(redis, prefix, RECORDS)
        self.accounts = self.of(ACCOUNTS)
        self.emails = self.of(EMAILS)
        self.credentials = self.of(CREDENTIALS)
        self.account_credentials = self.of(ACCOUNT_CREDENTIALS)
        self.sessions = self.of(SESSIONS)
        self.account_sessions = self.of(ACCOUNT_SESSIONS)
        self.conversations = self.of(CONVERSATIONS)
        self.tenant_conversations = self.of(TENANT_CONVERSATIONS)
        self.messages = self.of(MESSAGES)
        self.feedback = self.of(FEEDBACK)
        self.knowledge_bases = self.of(KNOWLEDGE_BASES)
        self.account_knowledge_bases = self.of(ACCOUNT_KNOWLEDGE_BASES)
        self.documents = self.of(DOCUMENTS)
        self._brief_messages = self.with_retention(MESSAGES, BRIEF_MESSAGE_S)

    async def put_brief_message(self, tenant: str, message: Message, offset: LogOffset) -> None:
        """Store an answer without a conversation for a day; ``offset`` is that of its question."""
        await put_brief_message(self._brief_messages, tenant, message, offset)
