"""API keys for programs: ``claw_<id><checksum>_<secret>``, shown once, stored as a hash."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET
from msgspec.structs import replace

from adapters.secrets.signing import url_text
from api.accounts.ports import AccountPorts
from api.http.audit import audit_event
from api.http.gate import PERSON
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, etag, find_created, invalid_field, json_response, require_match
from domain.accounts.address_ranges import canonical_range
from domain.accounts.key_text import key_hash, key_text
from domain.accounts.topics import CREDENTIALS_CHANGED
from domain.widgets.limits import WidgetLimits
from domain.widgets.origins import canonical_origin
from schemas import ids
from schemas.bodies.auth import DEFAULT_SCOPES, ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyPatch, ApiKeyRotate, WidgetKey
from schemas.bodies.pages import Page
from schemas.errors import FieldError, Refused
from schemas.records import Credential, CredentialChanged, ReplacedSecret
from schemas.widgets import WidgetAccess
from streams.log.outgoing import Outgoing

KEYS_MAX = 100  # of one account
SECRET_BYTES = 32
ROTATIONS_MAX = 16  # whose requests a key remembers: a late repeat of an older one than these rotates it again


@post("/api-keys", opt=PERSON | ANSWERED, responses=PROBLEMS, summary="Create an API key")
async def create(request: ApiRequest, data: JSONBody[ApiKeyCreate]) -> Response[ApiKeyCreated]:
    """The only response that has the key itself; a repeat with the same ``Idempotency-Key`` has it again."""
    ports, caller, now = request.ports(AccountPorts), request.user, request.core.clock.now()
    if data.expires_at is not None and data.expires_at <= now:
        raise invalid_field("expires_at", "is in the past", "a time in the future")
    addresses = _canonical_addresses(data.addresses)
    if data.widget is not None and data.scopes is not UNSET:
        raise invalid_field(
            "scopes", "are not for the key of a widget, which asks its knowledge bases and does nothing else", "leave it out"
        )
    widget = await _check_widget(request, data.widget) if data.widget is not None else None
    scopes = () if widget is not None else DEFAULT_SCOPES if data.scopes is UNSET else data.scopes
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
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=now,
        expires_at=data.expires_at,
        mode=data.mode,
        addresses=addresses,
        widget=widget,
    )
    async with ports.core.records.lease(keys_lease(caller.account_id)):
        present = await find_created(request, ports.core.read_models.account_credentials, _scope(request), credential_id)
        if present is not None:
            return _creation_response(present, _secret(request, credential_id, present.created_at))
        if await ports.core.read_models.account_credentials.count(_scope(request)) >= KEYS_MAX:
            raise Refused("forbidden", f"an account may have {KEYS_MAX} API keys; delete one")
        detail = {"scopes": " ".join(credential.scopes), "addresses": " ".join(addresses)}
        await _write(request, credential, "api_key.create", **detail, **_widget_detail(credential))
    return _creation_response(credential, secret)


@get("/api-keys", opt=PERSON, responses=PROBLEMS, summary="List API keys, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[ApiKey]:
    """Without their secrets, which are not stored."""
    page = await request.core.read_models.account_credentials.list(_scope(request), limit=limit, cursor=cursor)
    used = await request.http.key_uses.read(request.user.tenant, [each.id for each in page.items])
    return Page(items=tuple(ApiKey.of(each, used.get(each.id)) for each in page.items), next_cursor=page.next_cursor or None)


@get("/api-keys/{key_id:str}", opt=PERSON, responses=PROBLEMS, summary="Get an API key")
async def read(request: ApiRequest, key_id: FromPath[UUID]) -> Response[ApiKey]:
    """With its ETag, and without its secret, which is not stored."""
    return await _response(request, await _find(request, str(key_id)))


@patch("/api-keys/{key_id:str}", opt=PERSON, responses=PROBLEMS, summary="Change an API key")
async def change(request: ApiRequest, key_id: FromPath[UUID], data: JSONBody[ApiKeyPatch]) -> Response[ApiKey]:
    """Its name, and of a widget's key what it may do. With ``If-Match`` a concurrent change is refused with ``412``."""
    widget = await _check_widget(request, data.widget) if data.widget is not UNSET else None
    async with request.core.records.lease(keys_lease(request.user.account_id)):
        present = await _find(request, str(key_id))
        require_match(request, present.revision)
        if widget is not None and present.widget is None:
            raise invalid_field("widget", "is not for a key that was made without: its holders may do more", "create another key")
        name = present.name if data.name is UNSET else data.name
        changed = replace(present, name=name, widget=widget or present.widget, revision=present.revision + 1)
        await _write(request, changed, "api_key.change", **_widget_detail(changed))
    request.http.identities.forget(changed.id)
    return await _response(request, changed)


@post("/api-keys/{key_id:str}/rotate", opt=PERSON | ANSWERED, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Rotate an API key")
async def rotate(request: ApiRequest, key_id: FromPath[UUID], data: JSONBody[ApiKeyRotate]) -> Response[ApiKeyCreated]:
    """A new secret for the same key, in the only response that has it; a repeat with the same ``Idempotency-Key`` has it again. The secret
    of before is accepted until the overlap ends; one that was still accepted from an earlier rotation ends now.
    """
    caller, now = request.user, request.core.clock.now()
    await begin_idempotent(request)
    rotation = await request.new_id("api-key-rotation", caller.tenant, caller.account_id) if request.idempotency_key is not None else ""
    async with request.core.records.lease(keys_lease(caller.account_id)):
        present = await _find(request, str(key_id))
        if rotation and rotation in present.rotations:
            if rotation != present.rotations[-1] or present.secret_at is None:
                raise Refused("deleted_since", "the key was rotated once more since")
            return _creation_response(present, request.http.tokens.key_secret(present.id, present.secret_at), HTTPStatus.OK)
        # where the id is derived the secret must be, by which the key ends with the signing secret
        is_derived = bool(rotation) or ids.is_derived(present.id)
        secret = request.http.tokens.key_secret(present.id, now) if is_derived else _random_secret(request)
        until = now + timedelta(seconds=data.overlap_s)
        previous = ReplacedSecret(secret_hash=present.secret_hash, until=until, secret_at=present.secret_at)
        changed = replace(
            present,
            secret_hash=key_hash(secret),
            secret_at=now if is_derived else None,
            previous=previous if data.overlap_s else None,
            rotations=(*present.rotations, rotation)[-ROTATIONS_MAX:] if rotation else present.rotations,
            revision=present.revision + 1,
        )
        await _write(request, changed, "api_key.rotate", overlap_s=str(data.overlap_s))
    request.http.identities.forget(changed.id)
    return _creation_response(changed, secret, HTTPStatus.OK)


@delete("/api-keys/{key_id:str}", opt=PERSON, responses=PROBLEMS, summary="Revoke an API key")
async def revoke(request: ApiRequest, key_id: FromPath[UUID]) -> None:
    """The key is refused everywhere within a second."""
    async with request.core.records.lease(keys_lease(request.user.account_id)):
        await revoke_key(request, await _find(request, str(key_id)))


async def revoke_key(request: ApiRequest, present: Credential) -> None:
    """Revoke the key for whoever may; hold ``keys_lease``."""
    await _write(request, replace(present, revoked=True, revision=present.revision + 1), "api_key.revoke")
    request.http.identities.forget(present.id)
    await request.http.key_uses.forget(present.tenant, present.id)


def keys_lease(account_id: str) -> str:
    """The name of the lease to hold while keys of an account are changed."""
    return f"api-keys/{account_id}"


def _canonical_addresses(texts: Sequence[str]) -> tuple[str, ...]:
    """The ranges, each once. Raises Refused naming every one that is none."""
    found, errors = dict[str, None](), []
    for number, text in enumerate(texts):
        try:
            found[canonical_range(text)] = None
        except ValueError:
            errors.append(FieldError(f"addresses[{number}]", "is not an address or a CIDR", "such as 203.0.113.0/24 or 2001:db8::/48"))
    if errors:
        raise Refused("validation_failed", errors=tuple(errors))
    return tuple(found)


async def _check_widget(request: ApiRequest, given: WidgetKey) -> WidgetAccess:
    """With its origins in one form, each once. Raises Refused naming every one that is none, and for unknown knowledge bases."""
    origins, errors = dict[str, None](), []
    for number, text in enumerate(given.origins):
        try:
            origins[canonical_origin(text)] = None
        except ValueError as error:
            limit = "https://host[:port] without a path, in ASCII; http for loopback alone"
            errors.append(FieldError(f"widget.origins[{number}]", str(error), limit))
    if errors:
        raise Refused("validation_failed", errors=tuple(errors))
    bases = tuple(dict.fromkeys(map(str, given.knowledge_base_ids)))
    await request.http.access.check_knowledge_bases(request.user, bases)
    own = {name: getattr(given, name) for name in WidgetLimits._fields}
    return WidgetAccess(origins=tuple(origins), knowledge_base_ids=bases, **own)


def _widget_detail(credential: Credential) -> dict[str, str]:
    """What the audit log has of a widget's key."""
    widget = credential.widget
    return {} if widget is None else {"origins": " ".join(widget.origins), "knowledge_bases": " ".join(widget.knowledge_base_ids)}


async def _find(request: ApiRequest, key_id: str) -> Credential:
    present = await request.core.read_models.account_credentials.get(_scope(request), key_id)
    if present is None:
        raise Refused("not_found", f"there is no API key {key_id}")
    return present


def _secret(request: ApiRequest, credential_id: str, created_at: datetime) -> str:
    """256 bits as text. With an ``Idempotency-Key`` they are derived, so that a repeat returns the same without them being stored."""
    if request.idempotency_key is None:
        return _random_secret(request)
    return request.http.tokens.key_secret(credential_id, created_at)


def _random_secret(request: ApiRequest) -> str:
    return url_text(request.core.random_bytes(SECRET_BYTES))


def _creation_response(credential: Credential, secret: str, status: HTTPStatus = HTTPStatus.CREATED) -> Response[ApiKeyCreated]:
    return json_response(ApiKeyCreated(**ApiKey.fields_of(credential), key=key_text(credential.id, secret)), status)


async def _response(request: ApiRequest, credential: Credential) -> Response[ApiKey]:
    used = await request.http.key_uses.read(credential.tenant, [credential.id])
    return json_response(ApiKey.of(credential, used.get(credential.id)), HTTPStatus.OK, {"ETag": etag(credential.revision)})


def _scope(request: ApiRequest) -> str:
    return f"{request.user.account_id}/api_key"


async def _write(request: ApiRequest, credential: Credential, action: str, **detail: str) -> None:
    event: Any = await request.event(CredentialChanged, credential.id, credential)
    detail = {"account": credential.account_id} | detail  # without the name, which is anybody's text: the audit log outlives accounts
    await request.core.records.change(
        Outgoing(CREDENTIALS_CHANGED, event), await audit_event(request, action, target=credential.id, detail=detail)
    )


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, read, change, rotate, revoke], tags=["auth"])
