"""Begin the erasure of an account or an organisation, and see how far it is."""

import hmac
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec.structs import replace

from api.accounts.api_keys import keys_lease
from api.accounts.session_writes import session_change
from api.accounts.users import find_member
from api.erasures.confirmation import confirm
from api.erasures.ports import ErasurePorts
from api.http.audit import audit_event
from api.http.gate import PERSON, PUBLIC, UNVERIFIED
from api.http.identity import caller_of
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response
from domain.accounts.errors import LAST_ADMIN
from domain.accounts.organisations import change_account, check_admin_remains, organisation_lease
from domain.accounts.records import TENANT_ACCOUNTS
from domain.accounts.sessions import end_session, sessions_lease
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.eraser.certificate import certify
from domain.eraser.terms import ErasureTerms
from domain.erasures.errors import HAND_OVER_FIRST, TENANT_HAS_INBOX
from domain.erasures.records import ERASURES
from domain.erasures.topics import ERASURES_CHANGED
from schemas import ids
from schemas.bodies.erasures import ErasureKey, ErasureRequest, ErasureView, OrganisationErasureRequest
from schemas.erasures import Erasure, ErasureChanged
from schemas.errors import Refused
from schemas.records import Account, AccountChanged, Credential, CredentialChanged
from schemas.sessions import SessionRecord
from streams.log.outgoing import Outgoing
from streams.tables.record_table import PAGE_MAX

ADMIN_PERSON: dict[str, Any] = PERSON | {"role": "admin"}  # no key erases anything
Action = Literal["account.erase", "organisation.erase"]


@post(
    "/users/me/erasure",
    opt=PERSON | UNVERIFIED | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Erase your account",
)
async def erase_own(request: ApiRequest, data: JSONBody[ErasureRequest]) -> Response[ErasureView]:
    """Everything of yours: account, sessions, keys, conversations, private knowledge bases; what you put into shared ones belongs to your
    organisation and stays, without your name. You are logged out everywhere at once, and nothing brings it back: keep ``link``, which
    shows the progress and the certificate without a login. Whoever is alone in an organisation erases it with the account; its last admin
    makes another member one first (``409 hand_over_first``).
    """
    account = await confirm(request, data, "account.erase", request.user.account_id)
    return await _erase_account(request, account, own=True)


@post(
    "/users/{user_id:str}/erasure",
    opt=ADMIN_PERSON | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Erase the account of a member",
)
async def erase_member(request: ApiRequest, user_id: FromPath[UUID], data: JSONBody[ErasureRequest]) -> Response[ErasureView]:
    """As a member's own request does. ``404`` for one of another organisation, unless you are an operator; the account of an operator is
    erased by operators only.
    """
    await confirm(request, data, "account.erase", str(user_id))
    present = await _find(request, _erasure_id(request, str(user_id)))
    if present is not None and (present.tenant == request.user.tenant or request.user.has_role("operator")):
        return _response(request, present)  # the account itself may be gone
    return await _erase_account(request, await find_member(request, str(user_id)), own=False)


@post(
    "/organisation/erasure",
    opt=ADMIN_PERSON | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Erase an organisation",
)
async def erase_organisation(request: ApiRequest, data: JSONBody[OrganisationErasureRequest]) -> Response[ErasureView]:
    """With every account, conversation, knowledge base and document of it. Yours, or as an operator any. Not while an upstream system
    writes for it (``409 tenant_has_inbox``).
    """
    account = await confirm(request, data, "organisation.erase", data.organisation)
    tenant = data.organisation
    if tenant != account.tenant and not request.user.has_role("operator"):
        raise Refused("not_found", f"there is no organisation {tenant}")
    present = await _find(request, _erasure_id(request, tenant))
    if present is not None:
        return _response(request, present)
    if await request.core.read_models.of(TENANT_ACCOUNTS).count(tenant) == 0:
        raise Refused("not_found", f"there is no organisation {tenant}")
    async with request.core.records.lease(organisation_lease(tenant)):
        return await _begin(request, tenant, account_id="", terms=ErasureTerms(), action="organisation.erase", more=())


@get("/erasures/key", opt=PUBLIC, responses=PROBLEMS, security=[{}], summary="Get the public key of certificates")
async def read_key(request: ApiRequest) -> ErasureKey:
    """To verify certificates without this installation."""
    key = request.ports(ErasurePorts).signer.public_key
    return ErasureKey(key_id=key.key_id, algorithm=key.algorithm, public_key=key.public_key)


@get("/erasures/{erasure_id:str}", opt=PUBLIC, responses=PROBLEMS, security=[{}], summary="Get an erasure")
async def read(request: ApiRequest, erasure_id: FromPath[UUID]) -> Response[ErasureView]:
    """How far it is, and its certificate. Whoever has the id may read it: the account that could log in for it is gone."""
    found = await _find(request, str(erasure_id))
    if found is None:
        raise Refused("not_found", f"there is no erasure {erasure_id}")
    return _response(request, found, HTTPStatus.OK)


async def _erase_account(request: ApiRequest, account: Account, *, own: bool) -> Response[ErasureView]:
    """Disable the account, end its sessions and keys, and begin. Somebody who is alone erases the organisation with it."""
    core, caller = request.core, caller_of(account)
    leases = organisation_lease(account.tenant), sessions_lease(account.id), keys_lease(account.id)
    async with core.records.lease(leases[0]), core.records.lease(leases[1]), core.records.lease(leases[2]):
        disabled = change_account(account, {"disabled": True}, "operator" if own else request.user.role)
        is_alone = await core.read_models.of(TENANT_ACCOUNTS).count(account.tenant) <= 1
        if not is_alone:
            await _check_admin_remains(request, account, disabled)
        sessions, keys = await _open_sessions(request, account.id), await _open_keys(request, account.id)
        changed: Any = await request.event(AccountChanged, account.id, disabled, caller)
        response = await _begin(
            request,
            account.tenant,
            account_id="" if is_alone else account.id,
            terms=ErasureTerms(account.email, account.name),
            action="account.erase",
            more=(
                Outgoing(ACCOUNTS_CHANGED, changed),
                *[await session_change(request, caller, each) for each in sessions],
                *[Outgoing(CREDENTIALS_CHANGED, await request.event(CredentialChanged, key.id, key, caller)) for key in keys],
            ),
        )
        request.http.identities.forget_account(account.id)
        for session in sessions:
            request.http.identities.refuse_session(session.id)
        for key in keys:
            request.http.identities.forget(key.id)
        return response


async def _check_admin_remains(request: ApiRequest, before: Account, after: Account) -> None:
    """Raises Refused("hand_over_first")."""
    try:
        await check_admin_remains(request.core.read_models, before, after)
    except Refused as refusal:
        raise Refused(HAND_OVER_FIRST) if refusal.code == LAST_ADMIN.code else refusal from None


async def _open_sessions(request: ApiRequest, account_id: str) -> list[SessionRecord]:
    """The account's sessions, as they end."""
    page = await request.core.read_models.account_sessions.list(account_id, limit=PAGE_MAX)
    return [end_session(each, "revoked", request.core.clock.now()) for each in page.items]


async def _open_keys(request: ApiRequest, account_id: str) -> list[Credential]:
    """The account's API keys, revoked."""
    page = await request.core.read_models.account_credentials.list(f"{account_id}/api_key", limit=PAGE_MAX)
    return [replace(each, revoked=True, revision=each.revision + 1) for each in page.items]


async def _begin(
    request: ApiRequest, tenant: str, *, account_id: str, terms: ErasureTerms, action: Action, more: tuple[Outgoing, ...]
) -> Response[ErasureView]:
    """Publish the erasure, together with ``more``; hold ``organisation_lease``."""
    if not account_id and tenant in request.core.settings.lanes.inboxes:
        raise Refused(TENANT_HAS_INBOX)
    now, erasure_id = request.core.clock.now(), _erasure_id(request, account_id or tenant)
    erasure = Erasure(
        id=erasure_id,
        tenant=tenant,
        account_id=account_id,
        requested_by=request.user.account_id,
        created_at=now,
        next_at=now,
        sealed_terms=request.ports(ErasurePorts).terms.seal(erasure_id, terms, request.core.random_bytes),
    )
    event: Any = await request.event(ErasureChanged, erasure_id, erasure)
    event = replace(event, id=ids.derive("erasure", erasure_id, erasure.revision), tenant=tenant)
    entry = await audit_event(request, action, tenant=tenant, target=account_id or tenant, detail={"erasure": erasure_id})
    # the erasure first: what comes after it is done again by its agent, should this process die here
    await request.core.records.change(Outgoing(ERASURES_CHANGED, event), entry, *more)
    return _response(request, erasure)


async def _find(request: ApiRequest, erasure_id: str) -> Erasure | None:
    return await request.core.read_models.of(ERASURES).get(erasure_id, erasure_id)


def _erasure_id(request: ApiRequest, subject: str) -> str:
    """One per account or organisation. Keyed: whoever has it may read the erasure, and ids of accounts are known to others."""
    secret = request.core.settings.auth.secret.reveal().encode()
    return ids.derive("erasure", hmac.new(secret, f"erasure {subject}".encode(), "sha256").hexdigest())


def _response(request: ApiRequest, erasure: Erasure, status: HTTPStatus = HTTPStatus.ACCEPTED) -> Response[ErasureView]:
    certificate = certify(erasure, request.ports(ErasurePorts).signer)
    link = f"/api/v1/erasures/{erasure.id}"
    view = ErasureView(
        id=erasure.id,
        state=erasure.state,
        scope="account" if erasure.account_id else "organisation",
        account_id=erasure.account_id or None,
        organisation_id=erasure.tenant,
        created_at=erasure.created_at,
        rounds=erasure.rounds,
        removed=erasure.removed,
        checked_at=erasure.checked_at,
        final_by=erasure.next_at if erasure.state == "interim" else None,
        certificate=None if certificate is None else msgspec.to_builtins(certificate),
        link=link,
    )
    return json_response(view, status, {"Location": link})


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[erase_own, erase_member, erase_organisation, read_key, read], tags=["erasures"])
