"""`claw admin create`: creates the first administrator, for which there is no other way, and further ones.

An administrator is an account with the role `operator` (of the installation) or `admin` (of its tenant). The role is part of the account's
record on the log, written as registration writes it, so a rebuild of the tables brings it back.
"""

import asyncio
import getpass
import sys
from collections.abc import Callable

import msgspec

from adapters.secrets.passwords import Passwords
from api.http.request import decode_json
from domain.accounts.organisations import organisation_lease
from domain.accounts.records import email_scope, find_account
from domain.accounts.registration import new_account
from domain.accounts.topics import ACCOUNTS_CHANGED
from ops.commands.operator_records import OperatorRecords, check_tenant, open_operator_records
from schemas import ids
from schemas.bodies.auth import Register
from schemas.errors import ConfigurationError, Refused
from schemas.records import ROLES, Account, AccountChanged, AccountRole
from schemas.settings import Settings

STDIN_BYTES_MAX = 4_096  # of the one line that is read


def create(settings: Settings, email: str, *, tenant: str, name: str, role: AccountRole | None, password_stdin: bool, promote: bool) -> int:
    """Create an administrator, or promote an existing account; asks for a password only when one is needed.

    Without ``role`` they operate the installation, or with ``tenant`` administer that tenant.
    """
    role = role or ("admin" if tenant else "operator")
    if tenant:
        check_tenant(tenant)
    parse_registration(email, "a valid placeholder password", name)
    account = asyncio.run(find(settings, email, tenant))
    if account is None and promote:
        raise ConfigurationError(f"--promote: no account has the address {email}: leave out --promote to create one")
    if account is None:
        wanted = parse_registration(email, read_password() if password_stdin else ask_password(getpass.getpass), name)
        account, outcome = asyncio.run(register(settings, wanted, tenant, role)), f"has the role {role} now"
    elif ROLES.index(account.role) >= ROLES.index(role):
        outcome = f"has the role {account.role} already; nothing was changed"
    elif promote:
        account, outcome = asyncio.run(grant_role(settings, email, role)), f"has the role {role} now, with the password as before"
    else:
        raise Refused(
            "email_taken",
            f"{email} has an account with the role {account.role}: `claw admin create {email} --promote` gives it the role {role}",
        )
    print(f"{account.email} {outcome} (account {account.id}, tenant {account.tenant})")
    return 0


async def find(settings: Settings, email: str, tenant: str) -> Account | None:
    """The account with this address. Raises Refused when it belongs to another tenant than the given one."""
    async with open_operator_records(settings) as writer:
        return await _account(writer, email, tenant)


async def register(settings: Settings, wanted: Register, tenant: str, role: AccountRole) -> Account:
    """A new administrator, in ``tenant`` or in a tenant of their own. Raises Refused("email_taken") after a concurrent registration."""
    scope = email_scope(wanted.email)
    passwords = Passwords(1)
    try:
        if await passwords.score(wanted.password, (wanted.email, wanted.name)) < settings.auth.strength_min:
            raise Refused("password_weak", "choose several words that do not belong together; nothing was created")
        password_hash = await passwords.hash(wanted.password)  # before the lease: hashing takes longer than all steps under it
    finally:
        passwords.close()
    async with open_operator_records(settings) as writer, writer.records.lease(f"email/{scope}"):
        if await _account(writer, wanted.email, tenant) is not None:
            raise Refused("email_taken", f"{wanted.email} has just been given an account: repeat the command")
        made = new_account(  # the same id again when a half-written attempt is repeated
            ids.derive("administrator", scope),
            email=wanted.email,
            name=wanted.name,
            password_hash=password_hash,
            now=writer.now,
            role=role,
            tenant=tenant,
            verified_at=writer.now,  # the operator vouches for it
        )
        changes = [writer.outgoing(topic, kind, made.account.tenant, record.id, record) for topic, kind, record in made.changes()]
        changes.append(writer.audit_event("account.create", made.account.tenant, made.account.id, role=role))
        if tenant:
            async with writer.records.lease(organisation_lease(tenant)):
                await writer.records.change(*await writer.missing_tenant(tenant), *changes)
        else:
            await writer.records.change(*changes)
        return made.account


async def grant_role(settings: Settings, email: str, role: AccountRole) -> Account:
    """The account with this address, with this role."""
    async with open_operator_records(settings) as writer, writer.records.lease(f"email/{email_scope(email)}"):
        found = await find_account(writer.views, email)
        if found is None:
            raise Refused("not_found", f"no account has the address {email} any more")
        async with writer.records.lease(organisation_lease(found.tenant)):
            account = await writer.views.accounts.get(found.id, found.id) or found
            changed = msgspec.structs.replace(account, role=role, revision=account.revision + 1)
            await writer.records.change(
                writer.outgoing(ACCOUNTS_CHANGED, AccountChanged, changed.tenant, changed.id, changed),
                writer.audit_event("account.change", changed.tenant, changed.id, role=role),
            )
        return changed


async def _account(writer: OperatorRecords, email: str, tenant: str) -> Account | None:
    account = await find_account(writer.views, email)
    if account is not None and tenant and account.tenant != tenant:
        raise Refused("email_taken", f"--tenant: {email} has an account in the tenant {account.tenant}, and an address has only one")
    return account


def parse_registration(email: str, password: str, name: str) -> Register:
    """The registration, checked by the rules of the API; raises ConfigurationError naming field and limit."""
    try:
        wanted: Register = decode_json(msgspec.json.encode({"email": email, "password": password, "name": name}), Register)
    except Refused as error:
        raise ConfigurationError("; ".join(f"{wrong.field} {wrong.detail}" for wrong in error.errors)) from None
    return wanted


def ask_password(ask: Callable[[str], str]) -> str:
    """The password, entered twice without echo on a terminal."""
    if not sys.stdin.isatty():
        raise ConfigurationError("there is no terminal to ask for the password: write it to standard input and add --password-stdin")
    password = ask("Password: ")
    if password != ask("The same again: "):
        raise ConfigurationError("password: the two entries differ; nothing was created")
    return password


def read_password() -> str:
    """The first line of standard input, without its end."""
    line = sys.stdin.buffer.readline(STDIN_BYTES_MAX)
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError("--password-stdin: the first line of standard input is not UTF-8") from None
