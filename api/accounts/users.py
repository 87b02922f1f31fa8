"""Users: the accounts of a tenant, for its admins, and one's own name."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, get, patch
from litestar.params import FromPath, JSONBody, QueryParameter

from api.accounts.account_writes import write_account
from api.http.audit import record_audit
from api.http.gate import ADMIN, PERSON
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import etag, given_fields, json_response, map_page, require_match
from domain.accounts.organisations import change_account, check_admin_remains, organisation_lease
from domain.accounts.records import TENANT_ACCOUNTS
from domain.accounts.registration import default_base_of
from schemas.bodies.accounts import MemberPatch, MemberView, OwnPatch
from schemas.bodies.auth import User
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.records import Account

OfTenant = Annotated[str, QueryParameter(name="tenant", max_length=64, description="Of another tenant; operators only.")]


@get("/users", opt=ADMIN, responses=PROBLEMS, summary="List users, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "", tenant: OfTenant = "") -> Page[MemberView]:
    """The accounts of your organisation, disabled ones and its service account included."""
    if tenant and tenant != request.user.tenant and not request.user.has_role("operator"):
        raise Refused("forbidden", f"another tenant needs an account with the role operator; yours has the role {request.user.role}")
    return await list_members(request, tenant or request.user.tenant, limit, cursor)


@get("/users/{user_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Get a user")
async def read(request: ApiRequest, user_id: FromPath[UUID]) -> Response[MemberView]:
    """With the ETag. ``404`` for one of another organisation, unless you are an operator."""
    return _response(await find_member(request, str(user_id)))


@patch("/users/{user_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Change a user")
async def change(request: ApiRequest, user_id: FromPath[UUID], data: JSONBody[MemberPatch]) -> Response[MemberView]:
    """Role, tier, name, and whether the account is disabled: in force everywhere within a second, without a new login. With ``If-Match`` a
    concurrent change is refused with ``412``.
    """
    return _response(await change_member(request, str(user_id), given_fields(data)))


@patch("/users/me", opt=PERSON, responses=PROBLEMS, summary="Change your account")
async def change_own(request: ApiRequest, data: JSONBody[OwnPatch]) -> Response[User]:
    """Your name. With ``If-Match`` a concurrent change is refused with ``412``."""
    account = await change_member(request, request.user.account_id, given_fields(data), own=True)
    return json_response(User.of(account, default_base_of(account)), headers={"ETag": etag(account.revision)})


async def list_members(request: ApiRequest, tenant: str, limit: int, cursor: str) -> Page[MemberView]:
    """A page of the accounts of a tenant."""
    return map_page(await request.core.read_models.of(TENANT_ACCOUNTS).list(tenant, limit=limit, cursor=cursor), MemberView.of)


async def find_member(request: ApiRequest, user_id: str) -> Account:
    """An account that the caller may see. Raises Refused("not_found")."""
    found = await request.core.read_models.accounts.get(user_id, user_id)
    if found is None or (found.tenant != request.user.tenant and not request.user.has_role("operator")):
        raise Refused("not_found", f"there is no user {user_id}")
    return found


async def change_member(request: ApiRequest, user_id: str, changes: Mapping[str, Any], *, own: bool = False) -> Account:
    """The account with these fields changed, by an admin or, their own name, by anybody.

    Raises Refused: "not_found", "lost_update", "operator_only", "last_admin".
    """
    tenant = (await find_member(request, user_id)).tenant
    async with request.core.records.lease(organisation_lease(tenant)):
        present = await find_member(request, user_id)
        require_match(request, present.revision)
        try:
            changed = change_account(present, changes, "operator" if own else request.user.role)
            await check_admin_remains(request.core.read_models, present, changed)
        except Refused as refusal:
            detail = {"fields": " ".join(changes), "code": refusal.code}
            await record_audit(request, "account.change", outcome="refused", tenant=tenant, target=user_id, detail=detail)
            raise
        if changed is not present:
            await write_account(request, changed, "account.change", caller=request.user, detail=_differences(present, changed))
    return changed


def _differences(before: Account, after: Account) -> dict[str, str]:
    """What changed; of a name, that it did: it is personal."""
    found = {name: (getattr(before, name), getattr(after, name)) for name in ("role", "tier", "disabled")}
    texts = {name: f"{old} -> {new}".lower() for name, (old, new) in found.items() if old != new}
    return texts | ({"name": "changed"} if before.name != after.name else {})


def _response(account: Account) -> Response[MemberView]:
    return json_response(MemberView.of(account), headers={"ETag": etag(account.revision)})


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_, read, change, change_own], tags=["users"])
