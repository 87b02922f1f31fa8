"""The topics of documents, and the inboxes of upstream systems."""

import re
from collections.abc import Mapping

from schemas import documents
from streams.topics import DAY_MS, Topic

TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
DOCUMENT_KEY = "tenant/kb/document"
DOCUMENTS_SUBMITTED = Topic(
    "claw.documents.submitted.v1",
    DOCUMENT_KEY,
    documents.Submitted,
    ("api", "admit", "route", "run_jobs"),
    "The record of documents: submit, replace, delete. Its offset is the document's version.",
    None,
    tombstones=True,
    readers=("route", "count_statistics_documents"),
)
DOCUMENTS_QUEUED_EXPRESS = Topic(
    "claw.documents.queued.express.v1",
    DOCUMENT_KEY,
    documents.Queued,
    ("route", "reconcile"),
    "Work for people: parsed first.",
    7 * DAY_MS,
    readers=("parse_express",),
)
DOCUMENTS_QUEUED_BULK = Topic(
    "claw.documents.queued.bulk.v1",
    DOCUMENT_KEY,
    documents.Queued,
    ("route", "reconcile"),
    "Work for machines: parsed when there is room.",
    7 * DAY_MS,
    readers=("parse_bulk",),
)
DOCUMENTS_QUEUED_SLOW = Topic(
    "claw.documents.queued.slow.v1",
    DOCUMENT_KEY,
    documents.Queued,
    ("route", "parse", "reconcile"),
    "Work of tenants with more than their share, or with a file that reached a limit: parsed behind the others.",
    7 * DAY_MS,
    readers=("parse_slow",),
)
DOCUMENTS_CHUNKED = Topic(
    "claw.documents.chunked.v1",
    DOCUMENT_KEY,
    documents.Chunked,
    ("parse",),
    "Batches of chunks, at most 256 KB each.",
    7 * DAY_MS,
    readers=("embed",),
)
DOCUMENTS_EMBEDDED = Topic(
    "claw.documents.embedded.v1",
    DOCUMENT_KEY,
    documents.Embedded,
    ("embed", "route"),
    "Batches of chunks with vectors, and requests to remove old points.",
    7 * DAY_MS,
    readers=("index",),
)
DOCUMENTS_PROGRESSED = Topic(
    "claw.documents.progressed.v1",
    f"{DOCUMENT_KEY}[/refused]",  # a refusal at the inbox must not replace the state of the versions before it
    documents.Progressed,
    ("admit", "route", "parse", "embed", "index", "reconcile", "api", "run_jobs"),
    "The state of each document; upstream producers read it for the outcome.",
    None,
    tombstones=True,
    readers=("project", "notify", "api", "worker"),
)
DOCUMENTS_ALIASED = Topic(
    "claw.documents.aliased.v1",
    DOCUMENT_KEY,
    documents.DocumentAliased,
    ("admit", "route"),
    "The record keys of documents in inboxes, where they are not the documents' ids.",
    None,
    tombstones=True,
    readers=("project",),
)
DOCUMENTS_REQUESTED = Topic(
    "claw.documents.requested.v1",
    DOCUMENT_KEY,
    documents.Requested,
    ("route",),
    "The last requests with an Idempotency-Key that submitted each document: a late repeat is answered, and nothing is written.",
    None,
    tombstones=True,
    readers=("rebuild",),
)
DOCUMENTS_VERSIONS = Topic(
    "claw.documents.versions.v1",
    DOCUMENT_KEY,
    documents.DocumentVersionsKept,
    ("route",),
    "The replaced versions of each document whose files are kept.",
    None,
    tombstones=True,
    readers=("project", "rebuild"),
)


def inbox_topic(tenant: str) -> Topic:
    """The inbox of an upstream system of ``tenant``. The topic's name, not a record's content, determines the tenant of the documents."""
    return Topic(
        f"claw.inbox.{tenant}.v1",
        "upstream's document id",
        None,
        ("upstream",),
        "Documents from upstream systems, as CloudEvents (docs/upstream.md, docs/inbox.schema.json); a null value deletes.",
        7 * DAY_MS,
        readers=("admit",),
        tombstones=True,
        broker_time=True,  # the order of records in two partitions
    )


QUEUE_TOPICS: Mapping[documents.DocumentQueue, Topic] = {
    "express": DOCUMENTS_QUEUED_EXPRESS,
    "bulk": DOCUMENTS_QUEUED_BULK,
    "slow": DOCUMENTS_QUEUED_SLOW,
}
