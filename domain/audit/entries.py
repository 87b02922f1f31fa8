"""Entries of the audit log on their way to it: bounded, and free of what could break a reader's line."""

import re
from collections.abc import Mapping
from datetime import datetime

from domain.audit.topics import AUDIT_RECORDED
from schemas.audit import Actor, AuditEntry, AuditOutcome, AuditRecorded
from streams.log.outgoing import Outgoing

ACTION = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
TARGET_CHARS_MAX = 200
USER_AGENT_CHARS_MAX = 120  # enough for the product and its version
DETAIL_MAX = 12  # texts of one entry
DETAIL_CHARS_MAX = 200  # of each

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def audit_entry(
    action: str,
    actor: Actor,
    *,
    id: str,  # noqa: A002
    tenant: str,
    at: datetime,
    source: str,
    traceparent: str,
    outcome: AuditOutcome = "accepted",
    target: str = "",
    address: str = "",
    user_agent: str = "",
    request_id: str = "",
    detail: Mapping[str, str] | None = None,
) -> Outgoing:
    """The event of one entry. ``action`` is ``noun.verb``: raises ValueError for another form. Texts are cut to
    their limits, empty ones left out.
    """
    if ACTION.fullmatch(action) is None:
        raise ValueError(f"{action!r} is no action: noun.verb")
    entry = AuditEntry(
        id=id,
        at=at,
        action=action,
        outcome=outcome,
        actor=actor,
        target=shorten(target, TARGET_CHARS_MAX),
        address=address,
        user_agent=shorten(user_agent, USER_AGENT_CHARS_MAX),
        request_id=request_id,
        detail={name: shorten(text, DETAIL_CHARS_MAX) for name, text in [*(detail or {}).items()][:DETAIL_MAX] if text},
    )
    event = AuditRecorded(id=id, source=source, subject=id, time=at, tenant=tenant, traceparent=traceparent, data=entry)
    return Outgoing(AUDIT_RECORDED, event, key=tenant)


def shorten(text: str, chars_max: int) -> str:
    """``text`` as one line of at most ``chars_max`` characters, its end marked when it was cut."""
    line = _CONTROL.sub(" ", text)
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"
