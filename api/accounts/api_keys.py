"""API keys for programs: ``claw_<id>_<secret>``, shown once, stored as a hash."""

import base64
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody

from api.accounts.ports import AccountPorts
from api.http.gate import PERSON
from api.http.identity import key_hash, key_text
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, find_created, invalid_field, json_response, map_page
from domain.accounts.topics import CREDENTIALS_CHANGED
from schemas.bodies.auth import ApiKey, ApiKeyCreate, ApiKeyCreated
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.records import Credential, CredentialChanged
from streams.log.outgoing import Outgoing

KEYS_MAX = 100  # of one account
SECRET_BYTES = 32


@post("/api-keys", opt=PERSON | ANSWERED, responses=PROBLEMS, summary="Create an API key")
async def create(request: ApiRequest, data: JSONBody[ApiKeyCreate]) -> Response[ApiKeyCreated]:
    """The only response that has the key itself; a repeat with the same ``Idempotency-Key`` has it again."""
    ports, caller, now = request.ports(AccountPorts), request.user, request.core.clock.now()
    if data.expires_at is not None and data.expires_at <= now:
        raise invalid_field("expires_at", "is in the past", "a time in the future")
    await begin_idempotent(request)
    credential_id = await request.new_id("api-key", caller.tenant, caller.account_id)
    secret = _secret(request, credential_id, now)
    credential = Credential(
        id=credential_id,
        tenant=caller.tenant,
        account_id=caller.account_id,
        kind="api_key",
        secret_hash=key_hash(secret),
        name=data.name,
        scopes=tuple(dict.fromkeys(data.scopes)),
        created_at=now,
        expires_at=data.expires_at,
        mode=data.mode,
    )
    async with ports.core.records.lease(f"api-keys/{caller.account_id}"):
        present = await find_created(request, ports.core.read_models.account_credentials, _scope(request), credential_id)
        if present is not None:
            return _creation_response(present, _secret(request, credential_id, present.created_at))
        if await ports.core.read_models.account_credentials.count(_scope(request)) >= KEYS_MAX:
            raise Refused("forbidden", f"an account may have {KEYS_MAX} API keys; delete one")
        await _write(request, credential)
    return _creation_response(credential, secret)


@get("/api-keys", opt=PERSON, responses=PROBLEMS, summary="List API keys, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[ApiKey]:
    """Without their secrets, which are not stored."""
    return map_page(await request.core.read_models.account_credentials.list(_scope(request), limit=limit, cursor=cursor), ApiKey.of)


@delete("/api-keys/{key_id:str}", opt=PERSON, responses=PROBLEMS, summary="Revoke an API key")
async def revoke(request: ApiRequest, key_id: FromPath[UUID]) -> None:
    """The key is refused everywhere within a second."""
    ports, caller = request.ports(AccountPorts), request.user
    async with ports.core.records.lease(f"api-keys/{caller.account_id}"):
        present = await ports.core.read_models.account_credentials.get(_scope(request), str(key_id))
        if present is None:
            raise Refused("not_found", f"there is no API key {key_id}")
        await _write(request, msgspec.structs.replace(present, revoked=True, revision=present.revision + 1))
    ports.http.identities.forget(str(key_id))


def _secret(request: ApiRequest, credential_id: str, created_at: datetime) -> str:
    """256 bits as text. With an ``Idempotency-Key`` they are derived, so that a repeat returns the same without them being stored."""
    if request.idempotency_key is None:
        return base64.urlsafe_b64encode(request.core.random_bytes(SECRET_BYTES)).decode().rstrip("=")
    return request.http.tokens.key_secret(credential_id, created_at)


def _creation_response(credential: Credential, secret: str) -> Response[ApiKeyCreated]:
    shown = msgspec.structs.asdict(ApiKey.of(credential))
    return json_response(ApiKeyCreated(**shown, key=key_text(credential.id, secret)), HTTPStatus.CREATED)


def _scope(request: ApiRequest) -> str:
    return f"{request.user.account_id}/api_key"


async def _write(request: ApiRequest, credential: Credential) -> None:
    event: Any = await request.event(CredentialChanged, credential.id, credential)
    await request.core.records.change(Outgoing(CREDENTIALS_CHANGED, event))


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, revoke], tags=["auth"])
