"""What one event adds to the statistics. Everything is a sum, or a sketch of accounts by hash, so neither order nor repeats matter.

======================= ================================================== =======================================
key                     fields                                             sketch
======================= ================================================== =======================================
``account/tenant/id``   totals
``tenant/tenant``       totals, and by model, knowledge base and reason    accounts that were active that day
``installation``        totals, and by model and reason                    the same
``registered/tenant``                                                      accounts that registered that day
``registered``                                                             the same
======================= ================================================== =======================================

No text of a person is in them: accounts are ids and hashes, tags of ratings count by name only when the operator listed them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from schemas import ids
from schemas.chats import FeedbackGiven, UsageRecorded
from schemas.documents import DocumentSubmitted
from schemas.records import AccountChanged
from streams.log.range_reader import LogRecord
from streams.tables.counters import Change
from streams.tables.sketches import hash_of

BASES_MAX = 16  # knowledge bases of one answer that are counted
ACTIVE_PURPOSES = frozenset({"answer", "embedding"})
OTHER, NO_MODEL = "other", "none"
INSTALLATION, REGISTERED = "installation", "registered"
MODEL, BASE, REASON = "model", "base", "reason"  # of fields such as ``up:model:glm-4``

E = TypeVar("E", bound=Struct)
Decode = Callable[[LogRecord], tuple[str, Sequence[Change]] | None]
"""The event id and the changes of a record; None for one that does not count."""


class _Submitter(Struct):
    submitted_by: str = ""
    retry_of: str = ""


class _DocumentEvent(Struct):
    """What is counted of a submission: its text, which may be long, is skipped."""

    type: str
    id: str
    tenant: str
    time: datetime
    data: _Submitter


_USAGE = msgspec.json.Decoder(UsageRecorded)
_FEEDBACK = msgspec.json.Decoder(FeedbackGiven)
_ACCOUNT = msgspec.json.Decoder(AccountChanged)
_DOCUMENT = msgspec.json.Decoder(_DocumentEvent)


def account_key(tenant: str, account_id: str) -> str:
    """The sums of an account."""
    return f"account/{tenant}/{account_id}"


def tenant_key(tenant: str) -> str:
    """The sums and active accounts of a tenant."""
    return f"tenant/{tenant}"


def registered_key(tenant: str) -> str:
    """The accounts that registered in a tenant."""
    return f"{REGISTERED}/{tenant}"


def usage_changes(event: UsageRecorded) -> Sequence[Change]:
    """Questions and how they ended, tokens and cost. What an unshown answer cost is the installation's, and no question."""
    spent, paid = event.data, not event.data.cached
    fields = {
        "prompt_tokens": spent.prompt_tokens if paid else 0,
        "completion_tokens": spent.completion_tokens if paid else 0,
        "cost_micros": spent.cost_micros if paid else 0,
    }
    model = spent.model or NO_MODEL
    by_model, by_base = dict[str, int](), dict[str, int]()
    if spent.purpose == "answer":
        ended = spent.ended or "answered"
        fields |= {"questions": 1, ended: 1, "cached": int(spent.cached)}
        by_model = {f"{name}:{MODEL}:{model}": 1 for name in ("questions", ended)}
        by_base = {f"{name}:{BASE}:{base}": 1 for base in spent.knowledge_base_ids[:BASES_MAX] for name in ("questions", ended)}
    if spent.purpose == "unshown_answer":
        return _sums(event.time, {INSTALLATION: fields})
    changes = _owner_sums(event.tenant, spent.user_id, event.time, fields, by_model, by_base)
    return [*changes, *_activity(event.tenant, spent.user_id, event.time)] if spent.purpose in ACTIVE_PURPOSES else changes


def feedback_changes(event: FeedbackGiven, reasons: frozenset[str]) -> Sequence[Change]:
    """A rating, and minus the one that it replaces, on the day of the answer; the account is active on that of the event."""
    rating, at = event.data, event.data.replied_at or event.time
    fields, by_model, by_base = dict[str, int](), dict[str, int](), dict[str, int]()

    def add(name: str, tags: Sequence[str], step: int) -> None:
        fields[name] = fields.get(name, 0) + step
        model = f"{name}:{MODEL}:{rating.model or NO_MODEL}"
        by_model[model] = by_model.get(model, 0) + step
        for base in rating.knowledge_base_ids[:BASES_MAX]:
            by_base[f"{name}:{BASE}:{base}"] = by_base.get(f"{name}:{BASE}:{base}", 0) + step
        for reason in {tag if tag in reasons else OTHER for tag in tags}:
            by_model[f"{name}:{REASON}:{reason}"] = by_model.get(f"{name}:{REASON}:{reason}", 0) + step

    add(rating.rating, rating.tags, 1)
    if rating.replaces is not None:
        add(rating.replaces.rating, rating.replaces.tags, -1)
    return [
        *_owner_sums(event.tenant, rating.user_id, at, fields, by_model, by_base),
        *_activity(event.tenant, rating.user_id, event.time),
    ]


def account_changes(event: AccountChanged) -> Sequence[Change]:
    """A registration, however often the account changed since. The service account of a tenant is nobody."""
    account = event.data
    if account.id == ids.derive("service-account", account.tenant):
        return ()
    hashes = (hash_of(account.tenant, account.id),)
    return [Change(key, {}, account.created_at, hashes) for key in (registered_key(account.tenant), REGISTERED)]


def document_changes(event: _DocumentEvent) -> Sequence[Change]:
    """A document, or a new version of one, that somebody submitted."""
    if event.type != DocumentSubmitted.type_name() or event.data.retry_of:
        return ()
    submitted_by = event.data.submitted_by
    if not submitted_by:
        return _sums(event.time, {tenant_key(event.tenant): {"documents": 1}, INSTALLATION: {"documents": 1}})
    changes = _owner_sums(event.tenant, submitted_by, event.time, {"documents": 1}, {}, {})
    return [*changes, *_activity(event.tenant, submitted_by, event.time)]


def decode_usage(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    """Of claw.usage.recorded.v1."""
    event = _decode(_USAGE, record)
    return None if event is None else (event.id, usage_changes(event))


def feedback_decoder(reasons: frozenset[str]) -> Decode:
    """Of claw.feedback.given.v1."""

    def decode(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
        event = _decode(_FEEDBACK, record)
        return None if event is None else (event.id, feedback_changes(event, reasons))

    return decode


def decode_account(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    """Of claw.accounts.changed.v1."""
    event = _decode(_ACCOUNT, record)
    return None if event is None else (event.id, account_changes(event))


def decode_document(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    """Of claw.documents.submitted.v1."""
    event = _decode(_DOCUMENT, record)
    return None if event is None else (event.id, document_changes(event))


def _decode(decoder: "msgspec.json.Decoder[E]", record: LogRecord) -> E | None:
    if record.value is None:
        return None
    try:
        return decoder.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _owner_sums(
    tenant: str, account_id: str, at: datetime, fields: Mapping[str, int], by_model: Mapping[str, int], by_base: Mapping[str, int]
) -> list[Change]:
    """The account's totals; the tenant's, also by model and knowledge base; the installation's, also by model."""
    return _sums(
        at,
        {
            account_key(tenant, account_id): fields,
            tenant_key(tenant): {**fields, **by_model, **by_base},
            INSTALLATION: {**fields, **by_model},
        },
    )


def _sums(at: datetime, fields: Mapping[str, Mapping[str, int]]) -> list[Change]:
    found = ((key, {name: value for name, value in some.items() if value}) for key, some in fields.items())
    return [Change(key, some, at) for key, some in found if some]


def _activity(tenant: str, account_id: str, at: datetime) -> list[Change]:
    hashes = (hash_of(tenant, account_id),)
    return [Change(key, {}, at, hashes) for key in (tenant_key(tenant), INSTALLATION)]
