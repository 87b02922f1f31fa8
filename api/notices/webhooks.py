"""Webhooks of an account: endpoints that get its events by POST, signed with a secret that is shown once."""

import base64
import hashlib
import hmac
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from adapters.webhooks.client import check_webhook_url
from adapters.webhooks.signatures import PREFIX, new_secret
from api.http.audit import audit_event
from api.http.gate import WEBHOOKS
from api.http.late_repeats import ANSWERED
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import begin_idempotent, etag, find_created, given_fields, json_response, map_page, require_match
from api.notices.ports import NoticePorts
from domain.notices.errors import WEBHOOK_URL_REFUSED, WEBHOOKS_FULL
from domain.notices.topics import WEBHOOKS_CHANGED
from schemas.bodies.notices import WebhookCreate, WebhookPatch, WebhookView, WebhookWithSecret
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.notices import Webhook, WebhookChanged
from streams.log.outgoing import Outgoing


@post("/webhooks", opt=WEBHOOKS | ANSWERED, responses=PROBLEMS, summary="Create a webhook")
async def create(request: ApiRequest, data: JSONBody[WebhookCreate]) -> Response[WebhookWithSecret]:
    """The response has the secret; a repeat with the same ``Idempotency-Key`` has it again."""
    ports, caller, now = request.ports(NoticePorts), request.user, request.core.clock.now()
    check_address(request, data.url)
    await begin_idempotent(request)
    webhook_id = await request.new_id("webhook", caller.tenant, caller.account_id)
    async with ports.core.records.lease(f"webhooks/{caller.account_id}"):
        present = await find_created(request, ports.webhooks, caller.account_id, webhook_id)
        if present is not None:
            return _secret_response(request, present, HTTPStatus.CREATED)
        if await ports.webhooks.count(caller.account_id) >= ports.settings.endpoints_max:
            raise Refused(WEBHOOKS_FULL, f"an account may have {ports.settings.endpoints_max} webhooks (CLAW_WEBHOOK_ENDPOINTS_MAX)")
        secret = new_secret(request.core.random_bytes)
        webhook = Webhook(
            id=webhook_id,
            tenant=caller.tenant,
            account_id=caller.account_id,
            url=data.url,
            description=data.description,
            event_types=tuple(dict.fromkeys(data.event_types)),
            sealed_secret=ports.secrets.seal(webhook_id, secret, request.core.random_bytes),
            created_at=now,
            updated_at=now,
        )
        await _write(request, webhook, "webhook.create")
    return _secret_response(request, webhook, HTTPStatus.CREATED)


@get("/webhooks", opt=WEBHOOKS, responses=PROBLEMS, summary="List webhooks, the newest first")
async def list_(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[WebhookView]:
    """Without their secrets."""
    return map_page(await request.ports(NoticePorts).webhooks.list(request.user.account_id, limit=limit, cursor=cursor), WebhookView.of)


@get("/webhooks/{webhook_id:str}", opt=WEBHOOKS, responses=PROBLEMS, summary="Get a webhook")
async def read(request: ApiRequest, webhook_id: FromPath[UUID]) -> Response[WebhookView]:
    """With its ETag."""
    return _response(await find_webhook(request, webhook_id))


@patch("/webhooks/{webhook_id:str}", opt=WEBHOOKS, responses=PROBLEMS, summary="Update a webhook")
async def change(request: ApiRequest, webhook_id: FromPath[UUID], data: JSONBody[WebhookPatch]) -> Response[WebhookView]:
    """Fields left out stay as they are. ``enabled`` true switches on what was off, whatever the reason."""
    changes = given_fields(data)
    if "url" in changes:
        check_address(request, changes["url"])
    if "event_types" in changes:
        changes["event_types"] = tuple(dict.fromkeys(changes["event_types"]))
    enabled = changes.pop("enabled", None)
    if enabled is not None:
        changes["disabled"] = "" if enabled else "owner"
    if enabled or "url" in changes:
        changes["failing_since"] = None
    async with request.core.records.lease(f"webhook/{webhook_id}"):
        present = await find_webhook(request, webhook_id)
        require_match(request, present.revision)
        changed = msgspec.structs.replace(present, **changes, updated_at=request.core.clock.now(), revision=present.revision + 1)
        await _write(request, changed, "webhook.change")
    return _response(changed)


@delete("/webhooks/{webhook_id:str}", opt=WEBHOOKS, responses=PROBLEMS, summary="Delete a webhook")
async def remove(request: ApiRequest, webhook_id: FromPath[UUID]) -> None:
    """What waits for it is not sent any more, and its deliveries are forgotten."""
    async with request.core.records.lease(f"webhook/{webhook_id}"):
        present = await find_webhook(request, webhook_id)
        require_match(request, present.revision)
        gone = msgspec.structs.replace(
            present,
            url="",
            description="",
            sealed_secret="",
            previous_secret="",
            deleted=True,
            updated_at=request.core.clock.now(),
            revision=present.revision + 1,
        )
        await _write(request, gone, "webhook.delete")


@post(
    "/webhooks/{webhook_id:str}/secret",
    opt=WEBHOOKS | ANSWERED,
    status_code=HTTPStatus.OK,
    responses=PROBLEMS,
    summary="Rotate the secret of a webhook",
)
async def rotate(request: ApiRequest, webhook_id: FromPath[UUID]) -> Response[WebhookWithSecret]:
    """The response has the new secret. Messages are signed with both secrets for a day, so that receivers can change in between."""
    ports, now = request.ports(NoticePorts), request.core.clock.now()
    await begin_idempotent(request)
    rotation = await request.new_id(f"webhook-secret:{webhook_id}", request.user.tenant, request.user.account_id)
    secret = _derive_secret(request, rotation)
    async with request.core.records.lease(f"webhook/{webhook_id}"):
        present = await find_webhook(request, webhook_id)
        if secret not in _secrets(request, present):  # else this is a repeat
            present = msgspec.structs.replace(
                present,
                sealed_secret=ports.secrets.seal(present.id, secret, request.core.random_bytes),
                previous_secret=present.sealed_secret,
                previous_until=now + timedelta(seconds=ports.settings.rotation_s),
                updated_at=now,
                revision=present.revision + 1,
            )
            await _write(request, present, "webhook.rotate")
    return _secret_response(request, present, HTTPStatus.OK)


async def find_webhook(request: ApiRequest, webhook_id: UUID) -> Webhook:
    """The caller's webhook; Refused("not_found")."""
    present = await request.ports(NoticePorts).webhooks.get(request.user.account_id, str(webhook_id))
    if present is None:
        raise Refused("not_found", f"there is no webhook {webhook_id}")
    return present


def check_address(request: ApiRequest, url: str) -> None:
    """Raises Refused("webhook_url_refused") with the reason. What a name resolves to is judged at every attempt."""
    try:
        check_webhook_url(url, request.ports(NoticePorts).networks)
    except Refused as refused:
        raise Refused(WEBHOOK_URL_REFUSED, refused.detail, errors=refused.errors) from None


def _derive_secret(request: ApiRequest, rotation: str) -> str:
    """256 bits: random, as ``rotation`` is, or with an ``Idempotency-Key`` the same for a repeat, without being stored."""
    key = request.core.settings.auth.secret.reveal().encode()
    return PREFIX + base64.b64encode(hmac.digest(key, f"webhook-secret/{rotation}".encode(), hashlib.sha256)).decode()


def _secrets(request: ApiRequest, webhook: Webhook) -> list[str]:
    """The secrets that can be decrypted: none after the installation's key was lost, which a rotation mends."""
    try:
        return request.ports(NoticePorts).secrets.open(webhook, request.core.clock.now())
    except ValueError:
        return []


def _secret_response(request: ApiRequest, webhook: Webhook, status: int) -> Response[WebhookWithSecret]:
    newest = request.ports(NoticePorts).secrets.open(msgspec.structs.replace(webhook, previous_until=None), request.core.clock.now())
    view = WebhookWithSecret(**msgspec.structs.asdict(WebhookView.of(webhook)), secret=newest[0])
    headers = {"ETag": etag(webhook.revision), "Cache-Control": "no-store"}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/api/v1/webhooks/{webhook.id}"
    return json_response(view, status, headers)


async def _write(request: ApiRequest, webhook: Webhook, action: str) -> None:
    """With its entry in the audit log. The address stays out of it: it may be a secret."""
    event = await request.event(WebhookChanged, webhook.id, webhook)
    await request.core.records.change(Outgoing(WEBHOOKS_CHANGED, event), await audit_event(request, action, target=webhook.id))


def _response(webhook: Webhook) -> Response[WebhookView]:
    return json_response(WebhookView.of(webhook), headers={"ETag": etag(webhook.revision)})


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[create, list_, read, change, remove, rotate], tags=["webhooks"])
