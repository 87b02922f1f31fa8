"""Security events of requests, recorded on the audit log.

What was accepted is on the log before the response is: its entry goes with the change (``audit_event``) or right after it
(``record_audit``), and a log that does not take it fails the request, whose repeat records it. What was refused is published beside the
request: a stranger who is refused must not wait for the log, nor fill it, so that queue is bounded and what it drops is counted.
"""

from collections.abc import Mapping
from typing import Any

from api.http.audit_queue import SOURCE, actor_of
from api.http.envelope import request_id_of, traceparent_of
from api.http.gate import find_address
from api.http.identity import Caller
from api.http.request import ApiRequest
from domain.audit.entries import audit_entry
from schemas import ids
from schemas.audit import AuditOutcome
from streams.log.outgoing import Outgoing


async def record_audit(
    request: ApiRequest,
    action: str,
    *,
    outcome: AuditOutcome = "accepted",
    caller: Caller | None = None,
    tenant: str = "",
    target: str = "",
    detail: Mapping[str, str] | None = None,
) -> None:
    """Record that ``caller`` (by default the request's, if it has one) did ``action``, such as ``session.create``, or was refused it.

    ``tenant``: whose audit log, by default the caller's, else the installation's. Raises Unavailable("kafka_unavailable") when what was
    accepted cannot be recorded; what was refused is recorded in the background.
    """
    entry = await audit_event(request, action, outcome=outcome, caller=caller, tenant=tenant, target=target, detail=detail)
    if outcome == "refused":
        request.http.audit.put(entry)
    else:
        await request.core.publisher.publish(entry)


async def audit_event(
    request: ApiRequest,
    action: str,
    *,
    outcome: AuditOutcome = "accepted",
    caller: Caller | None = None,
    tenant: str = "",
    target: str = "",
    detail: Mapping[str, str] | None = None,
) -> Outgoing:
    """An entry to publish together with the change that it records; ``record_audit`` documents the arguments."""
    caller = caller or find_caller(request)
    tenant = tenant or (caller.tenant if caller else ids.INSTALLATION)
    if outcome == "accepted":  # a repeat that was not acknowledged before is the same entry
        entry_id = await request.new_id(f"audit:{action}:{target}", tenant, caller.account_id if caller else "")
    else:
        entry_id = ids.random_id(request.core.random_bytes)
    return audit_entry(
        action,
        actor_of(caller),
        id=entry_id,
        tenant=tenant,
        at=request.core.clock.now(),
        source=SOURCE,
        traceparent=traceparent_of(request.scope),
        outcome=outcome,
        target=target,
        address=find_address(request.scope),
        user_agent=request.headers.get("user-agent", ""),
        request_id=request_id_of(request.scope),
        detail=detail,
    )


def find_caller(request: ApiRequest) -> Caller | None:
    """The caller of the request; None where a route needs no credential."""
    user: Any = request.scope.get("user")
    return user if isinstance(user, Caller) else None
