"""Attacks on the routes of the API: who calls with what, and the exact refusal that follows. Numbers are requirements of OWASP ASVS 5.0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Access = Mapping[str, str]
"""The ``x-access`` of an operation: access, and possibly role and scope."""

ROLE_NEEDS = {"user": ("admin", "operator"), "admin": ("operator",)}


@dataclass(frozen=True)
class CredentialAttack:
    """A request with the credential ``name``, which is refused before anything of the request is looked at."""

    name: str
    requirement: str
    applies: Callable[[Access], bool]
    status: HTTPStatus = HTTPStatus.UNAUTHORIZED
    code: str = "unauthenticated"

    def __str__(self) -> str:
        return self.name


def needs_credential(access: Access) -> bool:
    """Whether a credential is needed at all."""
    return access["access"] in {"person", "caller", "widget"}


def needs_account(access: Access) -> bool:
    """Whether whoever calls acts for an account, which a stranger in front of a page does not."""
    return access["access"] in {"person", "caller"}


def is_widgets(access: Access) -> bool:
    """Whether it is for the keys of widgets."""
    return access["access"] == "widget"


def needs_role_above(role: str) -> Callable[[Access], bool]:
    """Whether an account with this role is not enough."""
    return lambda access: access.get("role") in ROLE_NEEDS[role]


CREDENTIAL_ATTACKS = (
    CredentialAttack("no credential", "8.3.1", needs_credential),
    CredentialAttack("another scheme", "8.3.1", needs_credential),
    CredentialAttack("a token signed with another secret", "9.1.1", needs_credential),
    CredentialAttack("a token without a signature", "9.1.2", needs_credential),
    CredentialAttack("a token that brings its key", "9.1.3", needs_credential),
    CredentialAttack("an expired token", "9.2.1", needs_credential),
    CredentialAttack("a token for another purpose", "9.2.2", needs_credential),
    CredentialAttack("a refresh token", "9.2.2", needs_credential),
    CredentialAttack("a session that has ended", "7.4.1", needs_credential, code="session_ended"),
    CredentialAttack("a key that was revoked", "7.4.1", needs_credential),
    CredentialAttack("a token of a disabled account", "7.4.2", needs_credential),
    CredentialAttack("a user", "8.2.1", needs_role_above("user"), HTTPStatus.FORBIDDEN, "forbidden"),
    CredentialAttack("an admin of the tenant", "8.2.1", needs_role_above("admin"), HTTPStatus.FORBIDDEN, "forbidden"),
    CredentialAttack("an operator who was demoted", "8.3.2", needs_role_above("user"), HTTPStatus.FORBIDDEN, "forbidden"),
    CredentialAttack("a key without the scope", "8.2.1", lambda access: "scope" in access, HTTPStatus.FORBIDDEN, "forbidden"),
    CredentialAttack("a key", "8.2.1", lambda access: access["access"] == "person", HTTPStatus.FORBIDDEN, "forbidden"),
    CredentialAttack("a widget's key", "8.2.1", needs_account, HTTPStatus.FORBIDDEN, "widget_key_refused"),
    CredentialAttack("a key", "8.2.1", is_widgets, HTTPStatus.FORBIDDEN, "widget_key_needed"),
    CredentialAttack("a user", "8.2.1", is_widgets, HTTPStatus.FORBIDDEN, "widget_key_needed"),
    CredentialAttack("a widget's key without an origin", "3.5.1", is_widgets, HTTPStatus.FORBIDDEN, "widget_origin_refused"),
)


@dataclass(frozen=True)
class Target:
    """What the requests of an operation name, for those who are not its owner.

    ``body`` and ``files`` make the request valid, so that only the owner is wrong. ``stranger`` (of another tenant, requirement 8.4.1) and
    ``colleague`` (another user of the tenant, 8.2.2) are the status and code that they get; None where there is nothing of others.
    """

    body: Any = None
    files: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stranger: tuple[int, str] | None = (404, "not_found")
    colleague: tuple[int, str] | None = (404, "not_found")


@dataclass(frozen=True)
class NoTarget:
    """An operation that names nothing that belongs to somebody: ``reason``."""

    reason: str


Row = Target | NoTarget

OWN = NoTarget("concerns the caller alone")
TENANT = NoTarget("concerns the caller's tenant alone")
INSTALLATION = NoTarget("concerns the installation; the role guards it")
ANYBODY = NoTarget("for everybody, without a credential")
WIDGETS = NoTarget("concerns the knowledge bases of the key alone")
WIDGET_ONLY = (403, "widget_key_needed")
CATALOGUE = NoTarget("the same for every caller")


def base_rows() -> Mapping[str, Row]:
    """The row of every operation; a placeholder such as ``{conversation_id}`` stands for the victim's, in paths as in bodies."""
    conversation, base = "/api/v1/conversations/{conversation_id}", "/api/v1/knowledge/{knowledge_base_id}"
    document, reply, query = (
        f"{base}/documents/{{document_id}}",
        f"{conversation}/replies/{{reply_id}}",
        "/api/v1/knowledge/queries/{reply_id}",
    )
    webhook = "/api/v1/webhooks/{webhook_id}"
    schedule = "/api/v1/schedules/{schedule_id}"
    nightly = {
        "name": "nightly",
        "spec": {"kind": "cron", "line": "0 3 * * *"},
        "action": {"kind": "rebuild", "knowledge_base_id": "{knowledge_base_id}"},
    }
    bases = ["{knowledge_base_id}"]
    return {
        "GET /livez": ANYBODY,
        "GET /readyz": ANYBODY,
        "GET /metrics": INSTALLATION,
        "POST /api/v1/auth/register": ANYBODY,
        "POST /api/v1/auth/login": ANYBODY,
        "POST /api/v1/auth/refresh": ANYBODY,
        "GET /api/v1/auth/oidc": ANYBODY,
        "GET /api/v1/auth/oidc/{provider}": ANYBODY,
        "GET /api/v1/auth/oidc/{provider}/callback": ANYBODY,
        "POST /api/v1/auth/reset": ANYBODY,
        "POST /api/v1/auth/reset/confirm": ANYBODY,
        "POST /api/v1/auth/verify": OWN,
        "POST /api/v1/auth/verify/confirm": ANYBODY,
        "POST /api/v1/auth/logout": OWN,
        "POST /api/v1/auth/password": OWN,
        "GET /api/v1/auth/session": OWN,
        "GET /api/v1/auth/sessions": OWN,
        "DELETE /api/v1/auth/sessions": OWN,
        "DELETE /api/v1/auth/sessions/{session_id}": Target(),
        "GET /api/v1/users/me": OWN,
        "GET /api/v1/users/me/usage": OWN,
        "GET /api/v1/users/me/usage/statistics": OWN,
        "GET /api/v1/users/me/limits": OWN,
        "GET /api/v1/rate-limits/me": OWN,
        "GET /api/v1/models": CATALOGUE,
        "GET /api/v1/usage": TENANT,
        "GET /api/v1/usage/statistics": TENANT,
        "GET /api/v1/usage/statistics/export": TENANT,
        "GET /api/v1/audit": TENANT,
        "GET /api/v1/audit/export": TENANT,
        "GET /api/v1/api-keys": OWN,
        "POST /api/v1/api-keys": OWN,
        "GET /api/v1/api-keys/{key_id}": Target(),
        "PATCH /api/v1/api-keys/{key_id}": Target({"name": "mine"}),
        "POST /api/v1/api-keys/{key_id}/rotate": Target({}),
        "DELETE /api/v1/api-keys/{key_id}": Target(),
        "PATCH /api/v1/users/me": OWN,
        "GET /api/v1/users": TENANT,
        # an operator may, of every tenant; tests/api/accounts/test_users.py has the admin of another one
        "GET /api/v1/users/{user_id}": Target(stranger=None, colleague=None),
        "PATCH /api/v1/users/{user_id}": Target(stranger=None, colleague=None),
        "POST /api/v1/users/me/erasure": OWN,
        # without the caller's password nothing is looked at; tests/api/erasures/test_routes.py has the admin of another tenant
        "POST /api/v1/users/{user_id}/erasure": Target({"password": "not mine"}, stranger=(403, "erasure_unconfirmed"), colleague=None),
        "POST /api/v1/organisation/erasure": TENANT,
        "GET /api/v1/erasures/key": ANYBODY,
        "GET /api/v1/erasures/{erasure_id}": ANYBODY,
        "GET /api/v1/organisation": TENANT,
        "PATCH /api/v1/organisation": TENANT,
        "GET /api/v1/organisation/members": TENANT,
        "DELETE /api/v1/organisation/members/{user_id}": Target(colleague=None),
        "GET /api/v1/organisation/api-keys": TENANT,
        "DELETE /api/v1/organisation/api-keys/{key_id}": Target(colleague=None),
        "GET /api/v1/organisation/invitations": TENANT,
        "POST /api/v1/organisation/invitations": TENANT,
        "DELETE /api/v1/organisation/invitations/{invitation}": Target(colleague=None),
        "GET /api/v1/rate-limits/rules": INSTALLATION,
        "PUT /api/v1/rate-limits/rules": INSTALLATION,
        "GET /api/v1/rate-limits/rules/propagation": INSTALLATION,
        "GET /api/v1/rate-limits/monitor": INSTALLATION,
        "POST /api/v1/rate-limits/reset": INSTALLATION,
        "GET /api/v1/rate-limits/allowlist": INSTALLATION,
        "PUT /api/v1/rate-limits/allowlist": INSTALLATION,
        "DELETE /api/v1/rate-limits/allowlist": INSTALLATION,
        "GET /api/v1/rate-limits/denylist": INSTALLATION,
        "PUT /api/v1/rate-limits/denylist": INSTALLATION,
        "DELETE /api/v1/rate-limits/denylist": INSTALLATION,
        "GET /api/v1/configs": INSTALLATION,
        "GET /api/v1/configs/public": ANYBODY,
        "GET /api/v1/configs/audit": INSTALLATION,
        "POST /api/v1/configs/export": INSTALLATION,
        "POST /api/v1/configs/import": INSTALLATION,
        # the installation's: an operator may, and whoever is less is refused for the role
        "GET /api/v1/configs/{config_key}": Target(stranger=None, colleague=None),
        "PUT /api/v1/configs/{config_key}": Target(stranger=None, colleague=None),
        "DELETE /api/v1/configs/{config_key}": Target(stranger=None, colleague=None),
        "GET /api/v1/configs/{config_key}/history": Target(stranger=None, colleague=None),
        "GET /api/v1/configs/{config_key}/diff": Target(stranger=None, colleague=None),
        "POST /api/v1/configs/{config_key}/rollback": Target(stranger=None, colleague=None),
        "POST /api/v1/configs/{config_key}/stage": Target(stranger=None, colleague=None),
        "GET /api/v1/configs/{config_key}/stage": Target(stranger=None, colleague=None),
        "POST /api/v1/configs/{config_key}/promote": Target(stranger=None, colleague=None),
        "POST /api/v1/configs/{config_key}/abort": Target(stranger=None, colleague=None),
        "GET /api/v1/configs/{config_key}/propagation": Target(stranger=None, colleague=None),
        "GET /api/v1/conversations": OWN,
        "GET /api/v1/conversations/search": OWN,
        "POST /api/v1/conversations": Target({"knowledge_base_ids": bases}),
        f"GET {conversation}": Target(),
        f"PATCH {conversation}": Target({"title": "mine"}),
        f"DELETE {conversation}": Target(),
        f"GET {conversation}/export": Target(),
        f"GET {conversation}/activity": Target(),
        f"GET {conversation}/usage": Target(),
        f"GET {conversation}/messages": Target(),
        f"POST {conversation}/messages": Target({"content": "What?"}),
        f"POST {conversation}/messages/{{message_id}}/edit": Target({"content": "What?"}),
        f"GET {reply}": Target(),
        f"GET {reply}/stream": Target(),
        f"GET {reply}/explain": Target(),
        f"POST {reply}/cancel": Target(),
        f"POST {reply}/regenerate": Target({}),
        f"POST {reply}/feedback": Target({"rating": "up"}),
        "GET /api/v1/knowledge": OWN,
        "POST /api/v1/knowledge": OWN,
        f"GET {base}": Target(),
        f"PATCH {base}": Target({"name": "mine"}),
        f"DELETE {base}": Target(),
        f"GET {base}/events": Target(),
        f"POST {base}/search": Target({"query": "days"}),
        "POST /api/v1/knowledge/search": Target({"query": "days", "knowledge_base_ids": bases}),
        f"POST {base}/query": Target({"question": "Days?"}),
        "POST /api/v1/knowledge/query": Target({"question": "Days?", "knowledge_base_ids": bases}),
        f"GET {query}": Target(),
        f"GET {query}/stream": Target(),
        f"GET {query}/explain": Target(),
        f"POST {query}/cancel": Target(),
        # another widget's key finds nothing: tests/api/widget/test_routes.py
        "POST /api/v1/widget/questions": WIDGETS,
        "GET /api/v1/widget/questions/{reply_id}/stream": Target(stranger=WIDGET_ONLY, colleague=WIDGET_ONLY),
        "POST /api/v1/widget/questions/{reply_id}/cancel": Target(stranger=WIDGET_ONLY, colleague=WIDGET_ONLY),
        f"GET {base}/index": Target(),
        f"POST {base}/index/rebuild": Target({}),
        f"POST {base}/index/back": Target(),
        f"POST {base}/index/drop": Target(),
        f"GET {base}/documents": Target(),
        f"POST {base}/documents": Target({"title": "t", "text": "x"}),
        f"POST {base}/documents/upload": Target(files={"file": ("a.txt", b"x", "text/plain")}),
        f"POST {base}/documents/url": Target({"url": "https://example.org/"}),
        f"GET {document}": Target(),
        f"PUT {document}": Target({"text": "mine"}),
        f"DELETE {document}": Target(),
        f"GET {document}/versions": Target(),
        f"GET {document}/versions/{{version}}/source": Target(),
        f"GET {document}/versions/{{version}}/pages/{{page}}": Target(),
        f"GET {document}/chunks": Target(),
        f"POST {document}/reprocess": Target(),
        "GET /api/v1/inbox/refusals": TENANT,
        "GET /api/v1/tasks": OWN,
        "GET /api/v1/tasks/stats": OWN,
        "GET /api/v1/tasks/workers": INSTALLATION,
        "GET /api/v1/tasks/stream": OWN,
        "GET /api/v1/tasks/{task_id}": Target(),
        "POST /api/v1/tasks/{task_id}/cancel": Target(),
        "POST /api/v1/tasks/{task_id}/retry": Target(),
        "POST /api/v1/tasks/bulk": TENANT,
        "GET /api/v1/tasks/dead-letters": TENANT,
        "GET /api/v1/tasks/dead-letters/groups": TENANT,
        "POST /api/v1/tasks/dead-letters/redrive": TENANT,
        # an admin of the tenant may; whoever is less is refused for the role
        "POST /api/v1/tasks/dead-letters/{letter_id}/redrive": Target(colleague=None),
        # an admin of the tenant may; whoever is less is refused for the role
        "GET /api/v1/schedules": TENANT,
        "POST /api/v1/schedules": Target(nightly, colleague=None),
        f"GET {schedule}": Target(colleague=None),
        f"PATCH {schedule}": Target({"note": "mine"}, colleague=None),
        f"DELETE {schedule}": Target(colleague=None),
        f"POST {schedule}/trigger": Target(colleague=None),
        "GET /api/v1/cache/stats": TENANT,
        "GET /api/v1/cache/scenarios": CATALOGUE,
        "GET /api/v1/cache/keys": TENANT,
        "GET /api/v1/cache/health": TENANT,
        "DELETE /api/v1/cache/keys/{key}": Target(colleague=None),
        "POST /api/v1/cache/invalidate": TENANT,
        "POST /api/v1/cache/warmup": TENANT,
        "GET /api/v1/cache/warmup/{warmup_id}": Target(colleague=None),
        "GET /api/v1/notices": OWN,
        "GET /api/v1/notices/unread": OWN,
        "GET /api/v1/notices/stream": OWN,
        "POST /api/v1/notices/read": OWN,
        "POST /api/v1/notices/{notice_id}/read": Target(),
        "GET /api/v1/notices/preferences": OWN,
        "PUT /api/v1/notices/preferences": OWN,
        "GET /api/v1/webhooks": OWN,
        "POST /api/v1/webhooks": OWN,
        f"GET {webhook}": Target(),
        f"PATCH {webhook}": Target({"description": "mine"}),
        f"DELETE {webhook}": Target(),
        f"POST {webhook}/secret": Target(),
        f"POST {webhook}/test": Target(),
        f"POST {webhook}/replay": Target({"since": "2026-01-01T00:00:00Z"}),
        f"GET {webhook}/deliveries": Target(),
        f"GET {webhook}/deliveries/{{delivery_id}}": Target(),
        "POST /v1/chat/completions": Target(
            {"model": "claw", "messages": [{"role": "user", "content": "Days?"}], "metadata": {"knowledge_base_ids": "{knowledge_base_id}"}}
        ),
        "POST /v1/embeddings": CATALOGUE,
        "GET /v1/models": CATALOGUE,
        "GET /v1/models/{model}": CATALOGUE,
    }
