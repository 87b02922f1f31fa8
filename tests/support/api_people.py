"""What tests of the API do with its people: who they are, what they may do, what they ask."""

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from api.core import Core
from api.http.ports import HttpPorts
from domain.accounts.topics import ACCOUNTS_CHANGED
from schemas import ids
from schemas.records import AccountChanged, AccountRole
from streams.log.outgoing import Outgoing
from tests.support.api_process import House, Person


async def promoted(house: House, person: Person, role: AccountRole = "operator") -> str:
    """Give somebody who has not called yet this role; their tenant."""
    account = await house.ports(Core).read_models.accounts.get(person.user["id"], person.user["id"])
    assert account is not None
    event = AccountChanged(
        id=ids.derive("promotion", account.id),
        source="/claw/test",
        subject=account.id,
        time=datetime.now(UTC),
        tenant=account.tenant,
        traceparent="",
        data=msgspec.structs.replace(account, role=role, revision=account.revision + 1),
    )
    await house.ports(Core).records.change(Outgoing(ACCOUNTS_CHANGED, event))
    return account.tenant


def key_of(house: House, person: Person, document: str) -> str:
    tenant = house.ports(HttpPorts).tokens.read(person.token, house.ports(Core).clock.now()).tenant
    return ids.document_key(tenant, person.base, document)


async def asked(person: Person, conversation: str, content: str = "How many days?", **headers: str) -> dict[str, Any]:
    answer = await person.call("POST", f"/conversations/{conversation}/messages", json={"content": content}, headers=headers)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def tenant_of(person: Person) -> str:
    house = person.house
    return house.ports(HttpPorts).tokens.read(person.token, house.ports(Core).clock.now()).tenant


async def colleague(house: House, person: Person, *, role: AccountRole = "user") -> Person:
    """Somebody else in the same tenant."""
    ports = house.ports
    account = await ports(Core).read_models.accounts.get(person.user["id"], person.user["id"])
    assert account is not None
    other = msgspec.structs.replace(account, id=str(uuid.uuid4()), email=f"{uuid.uuid4().hex}@example.com", role=role)
    event = AccountChanged(
        id=str(uuid.uuid4()),
        source="/claw/test",
        subject=other.id,
        time=ports(Core).clock.now(),
        tenant=other.tenant,
        traceparent="",
        data=other,
    )
    await ports(Core).records.change(Outgoing(ACCOUNTS_CHANGED, event))
    token, _ = ports(HttpPorts).tokens.issue(other, ports(Core).clock.now())
    return Person(house, token, person.user | {"id": other.id}, other.email)
