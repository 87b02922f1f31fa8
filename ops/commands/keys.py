"""API keys created by the operator: for the tenants of upstream systems, and the one that `claw up` writes to its home folder.

Each tenant has one service account, which has no login, and a default knowledge base that the whole tenant sees.
"""

import os
import secrets
from pathlib import Path
from uuid import uuid4

from adapters.secrets.signing import url_text
from domain.accounts.key_text import key_hash, key_text
from domain.accounts.organisations import organisation_lease
from domain.accounts.topics import CREDENTIALS_CHANGED
from ops.commands.operator_records import check_tenant, open_operator_records, service_account
from schemas.records import AnswerMode, Credential, CredentialChanged, Scope
from schemas.settings import Settings

LOCAL_TENANT = "default"
SCOPES: tuple[Scope, ...] = ("chat", "knowledge:read", "knowledge:write")
SECRET_BYTES = 32
KEY_MODE = 0o600


async def create(settings: Settings, tenant: str, mode: AnswerMode | None = None) -> int:
    """Print a new key of ``tenant``; it is shown this once."""
    print(await create_key(settings, tenant, "made by the operator", mode))
    return 0


async def ensure_local(settings: Settings) -> Path | None:
    """The file with a key of the default tenant, created at the first start. None when it exists already."""
    path = settings.node.home / "key"
    if path.exists():
        return None
    key = await create_key(settings, LOCAL_TENANT, "made by claw up")
    side = path.with_suffix(".new")
    with os.fdopen(os.open(side, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, KEY_MODE), "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
    side.replace(path)
    return path


async def create_key(settings: Settings, tenant: str, name: str, mode: AnswerMode | None = None) -> str:
    """A new key; creates the tenant's service account and default knowledge base when they do not exist."""
    check_tenant(tenant)
    secret = url_text(secrets.token_bytes(SECRET_BYTES))
    async with open_operator_records(settings) as writer:
        credential = Credential(
            id=str(uuid4()),
            tenant=tenant,
            account_id=service_account(tenant),
            kind="api_key",
            secret_hash=key_hash(secret),
            name=name,
            scopes=SCOPES,
            created_at=writer.now,
            mode=mode,
        )
        async with writer.records.lease(organisation_lease(tenant)):
            await writer.records.change(
                writer.outgoing(CREDENTIALS_CHANGED, CredentialChanged, tenant, credential.id, credential),
                *await writer.missing_tenant(tenant),
                writer.audit_event("api_key.create", tenant, credential.id, name=name, scopes=" ".join(SCOPES)),
            )
    return key_text(credential.id, secret)
