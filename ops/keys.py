"""API keys made by the operator: for the tenants of upstream systems, and the one that `claw up` leaves in its home folder.

Each tenant has one service account, which nobody can log in to, and a default knowledge base that the whole tenant sees.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from adapters.redis import connect
from api.identity import key_hash, key_text
from schemas import ids
from schemas.errors import ConfigurationError
from schemas.events import Event
from schemas.records import Account, AccountChanged, Credential, CredentialChanged, KnowledgeBase, KnowledgeBaseChanged, Scope
from schemas.settings import Settings
from schemas.traces import new_traceparent
from streams.agent import Outgoing
from streams.clock import SystemClock
from streams.publisher import KafkaPublisher
from streams.records import Records
from streams.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, KNOWLEDGE_CHANGED, TENANT_NAME
from streams.views import Views

E = TypeVar("E", bound=Event)

LOCAL_TENANT = "default"
SCOPES: tuple[Scope, ...] = ("chat", "knowledge:read", "knowledge:write")
SECRET_BYTES = 32
KEY_MODE = 0o600


async def create(settings: Settings, tenant: str) -> int:
    """Print a new key of ``tenant``; it is shown this once."""
    print(await made(settings, tenant, "made by the operator"))
    return 0


async def ensure_local(settings: Settings) -> Path | None:
    """The file with a key of the default tenant; made on the first start. None when that was done before."""
    path = settings.node.home / "key"
    if path.exists():
        return None
    key = await made(settings, LOCAL_TENANT, "made by claw up")
    side = path.with_suffix(".new")
    with os.fdopen(os.open(side, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, KEY_MODE), "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
    side.replace(path)
    return path


async def made(settings: Settings, tenant: str, name: str) -> str:
    """A new key; makes the tenant's service account and default knowledge base when they are not there."""
    if TENANT_NAME.fullmatch(tenant) is None:
        raise ConfigurationError(f"--tenant: {tenant!r} is no tenant: 1 to 64 of a-z, 0-9 and -")
    clock, prefix = SystemClock(), settings.redis.key_prefix
    account_id = ids.derived("service-account", tenant)
    now = clock.now()
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    credential = Credential(
        id=str(uuid4()),
        tenant=tenant,
        account_id=account_id,
        kind="api_key",
        secret_hash=key_hash(secret),
        name=name,
        scopes=SCOPES,
        created_at=now,
    )
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        views = Views(redis, prefix)
        records = Records(redis, prefix, publisher, views, clock)

        def outgoing(topic: Any, kind: type[E], subject: str, data: Any) -> Outgoing:
            trace = new_traceparent(secrets.token_bytes)
            event = kind(id=str(uuid4()), source="/claw/ops", subject=subject, time=now, tenant=tenant, traceparent=trace, data=data)
            return Outgoing(topic, event)

        async with records.lease(f"tenant/{tenant}"):
            change: Sequence[Outgoing] = (outgoing(CREDENTIALS_CHANGED, CredentialChanged, credential.id, credential),)
            if await views.accounts.get(account_id, account_id) is None:
                base_id = ids.default_knowledge_base(tenant)
                base = KnowledgeBase(
                    id=base_id, tenant=tenant, user_id=account_id, name="Default", sharing="tenant", created_at=now, updated_at=now
                )
                account = Account(id=account_id, tenant=tenant, email=f"service@{tenant}", tier="enterprise", created_at=now)
                change = (
                    *change,
                    outgoing(KNOWLEDGE_CHANGED, KnowledgeBaseChanged, base_id, base),
                    outgoing(ACCOUNTS_CHANGED, AccountChanged, account_id, account),
                )
            await records.change(*change)
    return key_text(credential.id, secret)
