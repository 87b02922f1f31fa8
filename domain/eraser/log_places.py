"""The inventory of the log: of every topic what it has of a person, and how that goes.

A compacted topic loses a record by a tombstone. From a topic with a retention Kafka removes nothing but its oldest segments, so its records
expire. Some stay, without text, because somebody else needs them; the reason stands here, and in every certificate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from domain.accounts import topics as accounts
from domain.audit.topics import AUDIT_RECORDED
from domain.chats import topics as chats
from domain.configs import topics as configs
from domain.documents import topics as documents
from domain.erasures.topics import ERASURES_CHANGED
from domain.indexes.topics import INDEXES_CHANGED
from domain.jobs.topics import JOBS_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.limits.topics import LIMITS_DECIDED
from domain.notices import topics as notices
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from domain.schedules.topics import SCHEDULES_CHANGED, SCHEDULES_TICKED
from domain.usage.topics import USAGE_RECORDED
from schemas.erasures import Means
from schemas.jobs import RebuildAction
from streams.topics import DEAD_LETTERS, Topic

Owners = Callable[[Any], tuple[str, ...]]
End = Callable[[Any, datetime], Any]


def _nobody(_event: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlace:
    """A topic in the inventory.

    ``holds``: what it has of a person. ``owners`` of an event are the ids, and addresses in lower case, to whose erasure its record
    belongs; a record of a tenant belongs to the tenant's in any case. ``ended`` makes the last state of a record's data, by which its
    rows leave the tables; None where the tombstone is enough. ``keeps``: why records of others, or all, keep the id of an erased account.
    ``writes``: the text is of whoever wrote it, and may name somebody else. ``shares``: its records may pass from one owner to another.
    """

    topic: Topic
    holds: str
    means: Means
    owners: Owners = _nobody
    ended: End | None = None
    keeps: str = ""
    writes: bool = False
    shares: bool = False


def _account(event: Any) -> tuple[str, ...]:
    return (event.data.account_id,)


def _of_user(event: Any) -> tuple[str, ...]:
    return (event.data.user_id,)


def _base(event: Any) -> tuple[str, ...]:
    return (event.data.knowledge_base_id,)


def _private_base(event: Any) -> tuple[str, ...]:
    return (event.data.id, *((event.data.user_id,) if event.data.sharing == "private" else ()))


def _rebuilt_base(event: Any) -> tuple[str, ...]:
    action = event.data.action
    return (action.knowledge_base_id,) if isinstance(action, RebuildAction) else ()


DOCUMENT_WORK = "Documents on their way: texts, titles, the id of who submitted them."
SUBMITTER = "documents in shared knowledge bases belong to the organisation; the id of who submitted them leads to nobody any more"
ANSWERED = "Questions, answers and passages."

LOG_PLACES: tuple[TopicPlace, ...] = (
    TopicPlace(topic=accounts.ACCOUNTS_CHANGED, holds="Address, name, role.", means="removed", owners=lambda event: (event.data.id,)),
    TopicPlace(
        topic=accounts.CREDENTIALS_CHANGED,
        holds="Hashes of passwords and API keys, names and address ranges of keys.",
        means="removed",
        owners=_account,
        ended=lambda data, _at: replace(data, revoked=True, name="", addresses=(), revision=data.revision + 1),
    ),
    TopicPlace(
        topic=accounts.SESSIONS_CHANGED,
        holds="Networks and browsers of logins.",
        means="removed",
        owners=_account,
        ended=lambda data, at: replace(
            data, ended_at=data.ended_at or at, end_reason="revoked", user_agent="", network="", revision=data.revision + 1
        ),
    ),
    TopicPlace(
        topic=accounts.IDENTITIES_CHANGED,
        holds="The person as an identity provider knows it.",
        means="removed",
        owners=_account,
        ended=lambda data, _at: replace(data, removed=True, subject="", revision=data.revision + 1),
    ),
    TopicPlace(
        topic=accounts.INVITATIONS_CHANGED,
        holds="The invited address; ids of who invited and who joined.",
        means="removed",
        owners=lambda event: (event.data.account_id, event.data.email.lower()),
        ended=lambda data, _at: replace(data, revoked=True, email="", revision=data.revision + 1),
        keeps="invitations of others name by id who invited them",
    ),
    TopicPlace(topic=accounts.ORGANISATIONS_CHANGED, holds="The organisation's name.", means="removed"),
    TopicPlace(
        topic=chats.CONVERSATIONS_CHANGED,
        holds="Titles, system prompts.",
        means="removed",
        owners=_of_user,
        ended=lambda data, at: replace(
            data, title="", system_prompt="", knowledge_base_ids=(), deleted=True, updated_at=at, revision=data.revision + 1
        ),
    ),
    TopicPlace(topic=chats.MESSAGES_CHANGED, holds=ANSWERED, means="removed", owners=_of_user, writes=True),
    TopicPlace(topic=chats.CHATS_ASKED, holds=ANSWERED, means="expires", owners=_of_user, writes=True),
    TopicPlace(topic=chats.CHATS_GROUNDED, holds=ANSWERED, means="expires", writes=True),
    TopicPlace(topic=chats.CHATS_ANSWERED, holds="Answers as they grew.", means="expires", writes=True),
    TopicPlace(topic=chats.DIGESTS_ASKED, holds="Ids of branches to summarise.", means="expires"),
    TopicPlace(topic=chats.FEEDBACK_GIVEN, holds="Ratings and comments.", means="expires"),
    TopicPlace(
        topic=KNOWLEDGE_CHANGED,
        holds="Names and descriptions of knowledge bases.",
        means="removed",
        owners=_private_base,
        shares=True,
        ended=lambda data, at: replace(data, name="", description="", deleted=True, updated_at=at, revision=data.revision + 1),
    ),
    TopicPlace(
        topic=documents.DOCUMENTS_SUBMITTED,
        holds="Documents: texts, titles, metadata, links; the id of who submitted them.",
        means="removed",
        owners=_base,
        keeps=SUBMITTER,
        writes=True,
    ),
    TopicPlace(topic=documents.DOCUMENTS_PROGRESSED, holds="Titles and states of documents.", means="removed", owners=_base, writes=True),
    TopicPlace(topic=documents.DOCUMENTS_ALIASED, holds="Hashes of record keys.", means="removed", owners=_base),
    TopicPlace(topic=documents.DOCUMENTS_REQUESTED, holds="Ids of requests.", means="removed", owners=_base),
    TopicPlace(
        topic=documents.DOCUMENTS_VERSIONS,
        holds="Titles and file names of replaced versions of documents.",
        means="removed",
        owners=_base,
        writes=True,
    ),
    TopicPlace(topic=documents.DOCUMENTS_QUEUED_EXPRESS, holds=DOCUMENT_WORK, means="expires", keeps=SUBMITTER, writes=True),
    TopicPlace(topic=documents.DOCUMENTS_QUEUED_BULK, holds=DOCUMENT_WORK, means="expires", keeps=SUBMITTER, writes=True),
    TopicPlace(topic=documents.DOCUMENTS_QUEUED_SLOW, holds=DOCUMENT_WORK, means="expires", keeps=SUBMITTER, writes=True),
    TopicPlace(topic=documents.DOCUMENTS_CHUNKED, holds="Texts of documents.", means="expires", writes=True),
    TopicPlace(topic=documents.DOCUMENTS_EMBEDDED, holds="Texts and vectors of documents.", means="expires", writes=True),
    TopicPlace(
        topic=INDEXES_CHANGED,
        holds="The id of who rebuilt an index.",
        means="removed",
        owners=_base,
        keeps="the rebuild of a shared index names by id who asked for it",
    ),
    TopicPlace(topic=REQUESTS_ASKED, holds="Texts that were searched for.", means="expires", writes=True),
    TopicPlace(topic=REQUESTS_ANSWERED, holds="Passages that were found.", means="expires", writes=True),
    TopicPlace(topic=notices.NOTICES_CHANGED, holds="Notices with titles of documents.", means="removed", owners=_account),
    TopicPlace(
        topic=notices.NOTICE_PREFERENCES_CHANGED, holds="Language and channels.", means="removed", owners=lambda event: (event.data.id,)
    ),
    TopicPlace(topic=notices.MAILS_REQUESTED, holds="Addresses, names, texts of mails.", means="expires", owners=_account),
    TopicPlace(topic=notices.MAILS_ENDED, holds="Ids of mails and accounts, answers of mail servers.", means="expires", owners=_account),
    TopicPlace(
        topic=notices.WEBHOOKS_CHANGED,
        holds="Addresses of receivers, encrypted secrets.",
        means="removed",
        owners=_account,
        ended=lambda data, at: replace(
            data, url="", description="", sealed_secret="", previous_secret="", deleted=True, updated_at=at, revision=data.revision + 1
        ),
    ),
    TopicPlace(topic=notices.DELIVERIES_CHANGED, holds="Messages to webhooks, answers of receivers.", means="expires"),
    TopicPlace(
        topic=SCHEDULES_CHANGED,
        holds="Names, notes and actions of schedules, the id of who created them.",
        means="removed",
        owners=_rebuilt_base,
        ended=lambda data, at: replace(data, name="", note="", deleted=True, updated_at=at, revision=data.revision + 1),
        keeps="schedules belong to the organisation, or to the installation; the id of who created them leads to nobody any more",
        writes=True,
    ),
    TopicPlace(topic=SCHEDULES_TICKED, holds="Ids of schedules and their runs.", means="expires"),
    TopicPlace(
        topic=JOBS_CHANGED,
        holds="Runs and bulk actions: names of schedules, the id of who began them, and of whose tasks they concern.",
        means="removed",
        owners=_account,
        keeps="bulk actions of others name by id whose tasks they concern",
    ),
    TopicPlace(
        topic=USAGE_RECORDED,
        holds="Ids of accounts, keys and conversations; no text.",
        means="kept",
        keeps="tokens were charged for: numbers by id, without address, name or text, until the topic's retention ends",
    ),
    TopicPlace(
        topic=AUDIT_RECORDED,
        holds="Who did what, from which network address and with which program, by id; no address of mails, no name.",
        means="kept",
        keeps="the security of the installation and of others has to be provable; the id leads to nobody any more",
    ),
    TopicPlace(
        topic=configs.CONFIGS_CHANGED,
        holds="The id of who changed a setting.",
        means="kept",
        keeps="settings of the installation name by id who changed them",
    ),
    TopicPlace(
        topic=configs.CONFIGS_RECORDED,
        holds="The id of who changed a setting, and the reason given.",
        means="kept",
        keeps="settings of the installation name by id who changed them",
    ),
    TopicPlace(
        topic=ERASURES_CHANGED,
        holds="The ids of what was erased; until the final check the address to look for, encrypted.",
        means="kept",
        keeps="the proof that it was erased",
    ),
    TopicPlace(topic=LIMITS_DECIDED, holds="Numbers of decisions by process; nobody.", means="none"),
    TopicPlace(topic=DEAD_LETTERS, holds="Records that could not be processed, as they were.", means="expires", writes=True),
)

BY_TOPIC: Mapping[str, TopicPlace] = {place.topic.name: place for place in LOG_PLACES}
ADDRESSES = "addresses and names"  # what is looked for in every place
INBOX = "Documents of upstream systems, for a tenant; an account never writes there."
