"""Records of an inbox that were refused, for the tenant whose inbox it is."""

from datetime import datetime

from msgspec import Struct

from schemas.errors import Problem


class RefusedRecord(Struct, frozen=True, kw_only=True):
    """A record of the inbox that did not become a document: where it lies, what its sender called it, and why it was refused.

    ``topic``, ``partition`` and ``offset`` are its place; ``written_at`` is its timestamp (null: it has no valid one), ``refused_at`` the
    time of the refusal. ``key`` is the record's (not UTF-8: with replacements; null: none), ``subject`` and ``event_id`` are
    the CloudEvent's, ``document_id`` is the document that the record names, each "" when the record does not show it. ``problem`` has the
    code, the message and the remedy. ``id`` is the id of the dead letter that keeps the record.
    """

    id: str
    topic: str
    partition: int
    offset: int
    written_at: datetime | None
    refused_at: datetime
    key: str | None
    subject: str = ""
    event_id: str = ""
    knowledge_base_id: str
    document_id: str = ""
    problem: Problem
