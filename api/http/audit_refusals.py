"""Requests that were refused for lack of rights, on the audit log: somebody known tried what they may not do.

Requests of nobody known are not on it, but for logins: they are counted by their route, and limited by their address.
"""

from collections.abc import Iterable

from litestar.types import HTTPScope, WebSocketScope

from api.area import ports_of
from api.core import Core
from api.http.audit_queue import SOURCE, actor_of
from api.http.envelope import UNMATCHED, request_id_of, traceparent_of
from api.http.identity import Caller
from api.http.ports import HttpPorts
from domain.audit.entries import audit_entry
from schemas import ids
from schemas.errors import Refused

ACTION = "request.authorize"


def record_refusal(scope: HTTPScope | WebSocketScope, caller: Caller, refusal: Refused, address: str) -> None:
    """Record in the background that ``caller`` was refused this route; the same refusal again within a minute is not recorded."""
    ports = ports_of(scope["litestar_app"])
    core, queue = ports(Core), ports(HttpPorts).audit
    route, method = str(scope.get("path_template") or UNMATCHED), str(scope.get("method", "GET"))
    whence = address if caller.widget is None else "anywhere"  # anybody has the key of a widget: no crowd of them fills the log
    if queue.is_repeated(f"{caller.account_id} {caller.key_id} {whence} {method} {route} {refusal.code}"):
        return
    queue.put(
        audit_entry(
            ACTION,
            actor_of(caller),
            id=ids.random_id(core.random_bytes),
            tenant=caller.tenant,
            at=core.clock.now(),
            source=SOURCE,
            traceparent=traceparent_of(scope),
            outcome="refused",
            target=route,
            address=address,
            user_agent=_user_agent(scope["headers"]),
            request_id=request_id_of(scope),
            detail={"method": method, "code": refusal.code, "reason": refusal.detail},
        )
    )


def _user_agent(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"user-agent"), "")
