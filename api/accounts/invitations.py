"""Invitations to the caller's organisation: by a text that is shown once, and by mail where an address is given."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec.structs import replace

from api.http.audit import audit_event
from api.http.gate import ADMIN
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, find_created, json_response, map_page
from domain.accounts.errors import INVITATIONS_FULL
from domain.accounts.invitations import TENANT_INVITATIONS, invitation_lease, new_invitation
from domain.accounts.organisations import find_organisation
from domain.accounts.records import email_scope
from domain.accounts.topics import INVITATIONS_CHANGED
from domain.notices.topics import MAILS_REQUESTED
from schemas import ids
from schemas.bodies.accounts import InvitationCreate, InvitationCreated, InvitationView
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.notices import Language, LinkRequest, MailRequest, MailRequested
from schemas.records import Invitation, InvitationChanged
from streams.log.outgoing import Outgoing

INVITATIONS_MAX = 1_000  # of one organisation, used and expired ones included
INVITE = Rule(name="invite", rate=20, burst=100, scope="user")  # each may send a mail to somebody who did not ask for it
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

InvitationId = Annotated[str, PathParameter(min_length=64, max_length=64, description="The id of the invitation, 64 hexadecimal digits.")]


@post("/organisation/invitations", opt=ADMIN | ANSWERED, responses=PROBLEMS, summary="Invite somebody")
async def create(request: ApiRequest, data: JSONBody[InvitationCreate]) -> Response[InvitationCreated]:
    """Whoever registers with the text joins your organisation in this role, once, even where registration is closed. This is the only
    response that has the text; a repeat with the same ``Idempotency-Key`` has it again.
    """
    caller, now = request.user, request.core.clock.now()
    await begin_idempotent(request)
    text, made = new_invitation(await _source(request), now, now + timedelta(seconds=data.expires_in_s), data.email or "")
    made = replace(made, tenant=caller.tenant, role=data.role, invited_by=caller.account_id)
    table = request.core.read_models.of(TENANT_INVITATIONS)
    async with request.core.records.lease(f"invitations/{caller.tenant}"):
        present = await find_created(request, table, caller.tenant, made.id)
        if present is not None:
            return _creation_response(present, text, now)
        if await table.count(caller.tenant) >= INVITATIONS_MAX:
            raise Refused(INVITATIONS_FULL, f"an organisation may have {INVITATIONS_MAX} invitations")
        await request.http.limiting.spend([(INVITE, caller.tenant)])
        detail = {"role": made.role, "by_mail": str(bool(made.email)).lower()}
        await request.core.records.change(
            Outgoing(INVITATIONS_CHANGED, await request.event(InvitationChanged, made.id, made)),
            *await _mail(request, made, data.language),
            await audit_event(request, "invitation.create", target=made.id, detail=detail),
        )
    return _creation_response(made, text, now)


@get("/organisation/invitations", opt=ADMIN, responses=PROBLEMS, summary="List invitations, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[InvitationView]:
    """Without their texts, which are not stored."""
    now = request.core.clock.now()
    page = await request.core.read_models.of(TENANT_INVITATIONS).list(request.user.tenant, limit=limit, cursor=cursor)
    return map_page(page, lambda each: InvitationView.of(each, now))


@delete("/organisation/invitations/{invitation:str}", opt=ADMIN, responses=PROBLEMS, summary="Delete an invitation")
async def remove(request: ApiRequest, invitation: FromPath[InvitationId]) -> None:
    """An unused one can no longer be used. Who joined with a used one stays a member."""
    async with request.core.records.lease(invitation_lease(invitation)):
        present = await request.core.read_models.of(TENANT_INVITATIONS).get(request.user.tenant, invitation)
        if present is None:
            raise Refused("not_found", "there is no such invitation")
        gone = replace(present, revoked=True, revision=present.revision + 1)
        await request.core.records.change(
            Outgoing(INVITATIONS_CHANGED, await request.event(InvitationChanged, gone.id, gone)),
            await audit_event(request, "invitation.revoke", target=gone.id),
        )


async def _source(request: ApiRequest) -> Callable[[int], bytes]:
    """The random bytes of a text. With an ``Idempotency-Key`` they are derived, so that a repeat has the same, which is stored nowhere."""
    if request.idempotency_key is None:
        return request.core.random_bytes
    seed = await request.new_id("invitation", request.user.tenant, request.user.account_id)
    derived = base64.urlsafe_b64decode(request.http.tokens.key_secret(seed, EPOCH) + "=")
    return lambda count: derived[:count]


async def _mail(request: ApiRequest, invitation: Invitation, language: Language) -> Sequence[Outgoing]:
    """The mail to the address of the invitation, if it has one. Its link names the invitation: the text stands on no topic."""
    if not invitation.email:
        return ()
    tenant, inviter = invitation.tenant, await request.core.read_models.accounts.get(invitation.invited_by, invitation.invited_by)
    organisation = await find_organisation(request.core.read_models, tenant, invitation.created_at)
    mail = MailRequest(
        id=ids.derive("invitation-mail", invitation.id),
        tenant=tenant,
        address=invitation.email,
        template="invitation",
        language=language,
        fields={"organisation": organisation.name, "inviter": (inviter.name or inviter.email) if inviter is not None else ""},
        link=LinkRequest(
            purpose="invitation", subject=invitation.id, binding=email_scope(invitation.email), expires_at=invitation.expires_at
        ),
    )
    return (Outgoing(MAILS_REQUESTED, await request.event(MailRequested, mail.id, mail)),)


def _creation_response(invitation: Invitation, text: str, now: datetime) -> Response[InvitationCreated]:
    view = msgspec.structs.asdict(InvitationView.of(invitation, now))
    return json_response(InvitationCreated(**view, invitation=text), HTTPStatus.CREATED)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, remove], tags=["organisation"])
