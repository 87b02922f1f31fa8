"""The records that the operator's commands change: published and written through under a lease, as in the API."""

import getpass
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import uuid4

from domain.accounts.registration import DEFAULT_KNOWLEDGE_BASE_NAME
from domain.accounts.topics import ACCOUNTS_CHANGED, ORGANISATIONS_CHANGED
from domain.audit.entries import audit_entry
from domain.documents.topics import TENANT_NAME
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.read_models import ReadModels
from ops.commands.connections import open_connections
from schemas import ids
from schemas.audit import Actor
from schemas.errors import ConfigurationError
from schemas.events import Event
from schemas.records import Account, AccountChanged, KnowledgeBase, KnowledgeBaseChanged, Organisation, OrganisationChanged
from schemas.settings import Settings
from schemas.traces import new_traceparent
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing
from streams.tables.record_writer import RecordWriter
from streams.topics import Topic

SOURCE = "/claw/ops"


class OperatorRecords:
    """``records`` takes the leases and publishes; ``views`` reads."""

    def __init__(self, views: ReadModels, records: RecordWriter, now: datetime) -> None:
        self.views, self.records, self.now = views, records, now

    def outgoing(self, topic: Topic, kind: type[Event], tenant: str, subject: str, data: object) -> Outgoing:
        """The event with ``data`` of ``subject``."""
        trace = new_traceparent(secrets.token_bytes)
        event = kind(id=str(uuid4()), source=SOURCE, subject=subject, time=self.now, tenant=tenant, traceparent=trace, data=data)
        return Outgoing(topic, event)

    def audit_event(self, action: str, tenant: str, target: str, **detail: str) -> Outgoing:
        """The entry on the audit log of ``tenant``, to be published with the change that it records."""
        return audit_event(action, tenant, target, self.now, **detail)

    async def missing_tenant(self, tenant: str) -> Sequence[Outgoing]:
        """The events of a tenant: its service account, default knowledge base and name; none when it exists. Hold its lease."""
        account_id = service_account(tenant)
        if await self.views.accounts.get(account_id, account_id) is not None:
            return ()
        now, base_id = self.now, ids.default_knowledge_base(tenant)
        base = KnowledgeBase(
            id=base_id,
            tenant=tenant,
            user_id=account_id,
            name=DEFAULT_KNOWLEDGE_BASE_NAME,
            sharing="tenant",
            created_at=now,
            updated_at=now,
        )
        account = Account(id=account_id, tenant=tenant, email=f"service@{tenant}", tier="enterprise", created_at=now)
        made = self.outgoing(ACCOUNTS_CHANGED, AccountChanged, tenant, account_id, account)
        if await self.views.knowledge_bases.get(tenant, base_id) is not None:
            return (made,)  # the tenant of a person, whose base stays theirs and as private as it is
        organisation = Organisation(id=tenant, name=tenant, created_at=now)
        return (
            self.outgoing(KNOWLEDGE_CHANGED, KnowledgeBaseChanged, tenant, base_id, base),
            self.outgoing(ORGANISATIONS_CHANGED, OrganisationChanged, tenant, tenant, organisation),
            made,
        )


def audit_event(action: str, tenant: str, target: str, at: datetime, **detail: str) -> Outgoing:
    """The entry of a command on the audit log of ``tenant``."""
    return audit_entry(
        action,
        Actor(kind="command"),
        id=str(uuid4()),
        tenant=tenant,
        at=at,
        source=SOURCE,
        traceparent=new_traceparent(secrets.token_bytes),
        target=target,
        address=socket.gethostname(),
        detail={"user": _user_name()} | detail,
    )


@asynccontextmanager
async def open_operator_records(settings: Settings) -> AsyncIterator[OperatorRecords]:
    """A writer for the length of one command."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with open_connections(settings) as (redis, publisher):
        views = ReadModels(redis, prefix)
        yield OperatorRecords(views, RecordWriter(redis, prefix, publisher, views, clock), clock.now())


def _user_name() -> str:
    """The user at the command line; the number of one without a name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def service_account(tenant: str) -> str:
    """The id of a tenant's service account, which owns the tenant's keys and has no login."""
    return ids.derive("service-account", tenant)


def check_tenant(tenant: str) -> None:
    """Raises ConfigurationError for what cannot be a tenant."""
    if TENANT_NAME.fullmatch(tenant) is None:
        raise ConfigurationError(f"--tenant: {tenant!r} is no tenant: 1 to 64 of a-z, 0-9 and -")
