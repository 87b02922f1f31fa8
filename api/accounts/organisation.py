"""The organisation of the caller: its name, its members and their API keys."""

from uuid import UUID

from litestar import Response, Router, delete, get, patch
from litestar.params import FromPath, JSONBody
from msgspec.structs import replace

from api.accounts.api_keys import keys_lease, revoke_key
from api.accounts.users import change_member, find_member, list_members
from api.http.audit import audit_event
from api.http.gate import ADMIN, ANYBODY
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import etag, json_response, require_match
from domain.accounts.organisations import find_organisation, organisation_lease
from domain.accounts.records import TENANT_API_KEYS
from domain.accounts.topics import ORGANISATIONS_CHANGED
from schemas.bodies.accounts import MemberApiKey, MemberView, OrganisationPatch, OrganisationView
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.records import Organisation, OrganisationChanged
from streams.log.outgoing import Outgoing


@get("/organisation", opt=ANYBODY, responses=PROBLEMS, summary="Get your organisation")
async def read(request: ApiRequest) -> Response[OrganisationView]:
    """With its ETag."""
    return _response(await find_organisation(request.core.read_models, request.user.tenant, request.core.clock.now()))


@patch("/organisation", opt=ADMIN, responses=PROBLEMS, summary="Rename your organisation")
async def change(request: ApiRequest, data: JSONBody[OrganisationPatch]) -> Response[OrganisationView]:
    """With ``If-Match`` a concurrent change is refused with ``412``."""
    tenant = request.user.tenant
    async with request.core.records.lease(organisation_lease(tenant)):
        present = await find_organisation(request.core.read_models, tenant, request.core.clock.now())
        require_match(request, present.revision)
        changed = replace(present, name=data.name, revision=present.revision + 1)
        event = await request.event(OrganisationChanged, tenant, changed)
        entry = await audit_event(request, "organisation.change", target=tenant, detail={"name": "changed"})
        await request.core.records.change(Outgoing(ORGANISATIONS_CHANGED, event), entry)
    return _response(changed)


@get("/organisation/members", opt=ADMIN, responses=PROBLEMS, summary="List members, the newest first")
async def members(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[MemberView]:
    """Disabled ones and the service account included."""
    return await list_members(request, request.user.tenant, limit, cursor)


@delete("/organisation/members/{user_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Remove a member")
async def remove(request: ApiRequest, user_id: FromPath[UUID]) -> None:
    """Disables the account: it is refused everywhere within a second, its API keys too, and `disabled: false` lets it in again. What it
    wrote stays, and its address stays taken.
    """
    member = await find_member(request, str(user_id))
    if member.tenant != request.user.tenant:
        raise Refused("not_found", f"there is no member {user_id}")
    await change_member(request, member.id, {"disabled": True})


@get("/organisation/api-keys", opt=ADMIN, responses=PROBLEMS, summary="List the members' API keys, the newest first")
async def api_keys(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[MemberApiKey]:
    """Without their secrets, which are not stored."""
    tenant = request.user.tenant
    page = await request.core.read_models.of(TENANT_API_KEYS).list(tenant, limit=limit, cursor=cursor)
    used = await request.http.key_uses.read(tenant, [each.id for each in page.items])
    items = tuple(MemberApiKey.of_member(each, used.get(each.id)) for each in page.items)
    return Page(items=items, next_cursor=page.next_cursor or None)


@delete("/organisation/api-keys/{key_id:str}", opt=ADMIN, responses=PROBLEMS, summary="Revoke a member's API key")
async def revoke(request: ApiRequest, key_id: FromPath[UUID]) -> None:
    """The key is refused everywhere within a second."""
    table = request.core.read_models.of(TENANT_API_KEYS)
    found = await table.get(request.user.tenant, str(key_id))
    if found is None:
        raise Refused("not_found", f"there is no API key {key_id}")
    async with request.core.records.lease(keys_lease(found.account_id)):
        present = await table.get(request.user.tenant, str(key_id))
        if present is None:
            raise Refused("not_found", f"there is no API key {key_id}")
        await revoke_key(request, present)


def _response(organisation: Organisation) -> Response[OrganisationView]:
    return json_response(OrganisationView.of(organisation), headers={"ETag": etag(organisation.revision)})


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[read, change, members, remove, api_keys, revoke], tags=["organisation"])
