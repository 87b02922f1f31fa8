"""Deliveries of a webhook: the log with answers, a test message, and replays."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody

from api.http.gate import WEBHOOKS
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response, map_page, run_idempotent
from api.notices.ports import NoticePorts
from api.notices.webhooks import find_webhook
from domain.notices.errors import REPLAY_TOO_LARGE, WEBHOOK_DISABLED
from domain.notices.messages import message_id, new_delivery, replay_delivery
from domain.notices.topics import DELIVERIES_CHANGED
from schemas.bodies.notices import DeliveryView, DeliveryWithPayload, WebhookReplay, WebhookReplayed
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.notices import DeliveryChanged, Webhook, WebhookDelivery
from streams.log.outgoing import Outgoing
from streams.tables.projection import rank_of

PUBLISHED_TOGETHER = 200  # deliveries of a replay


@get("/webhooks/{webhook_id:str}/deliveries", opt=WEBHOOKS, responses=PROBLEMS, summary="List deliveries of a webhook, the newest first")
async def list_(request: ApiRequest, webhook_id: FromPath[UUID], limit: Limit = 20, cursor: Cursor = "") -> Page[DeliveryView]:
    """Every message of the last seven days with its attempts: status, duration, and the beginning of the answer."""
    webhook = await find_webhook(request, webhook_id)
    return map_page(await request.ports(NoticePorts).deliveries.list(webhook.id, limit=limit, cursor=cursor), DeliveryView.of)


@get("/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}", opt=WEBHOOKS, responses=PROBLEMS, summary="Get a delivery of a webhook")
async def read(request: ApiRequest, webhook_id: FromPath[UUID], delivery_id: FromPath[str]) -> DeliveryWithPayload:
    """With the body that is sent."""
    webhook = await find_webhook(request, webhook_id)
    (found,) = await _find_named(request, webhook, (delivery_id,))
    return DeliveryWithPayload(**msgspec.structs.asdict(DeliveryView.of(found)), payload=msgspec.Raw(found.payload.encode()))


@post(
    "/webhooks/{webhook_id:str}/test",
    opt=WEBHOOKS | RUNS_AGAIN,
    status_code=HTTPStatus.ACCEPTED,
    responses=PROBLEMS,
    summary="Send a test message to a webhook",
)
async def send_test(request: ApiRequest, webhook_id: FromPath[UUID]) -> Response[DeliveryView]:
    """A message of type ``webhook.test``, whatever events the webhook gets otherwise. Its delivery shows the answer."""

    async def make() -> Response[Any]:
        webhook, now = await _find_enabled(request, webhook_id), request.core.clock.now()
        cause = await request.new_id("webhook-test", request.user.tenant, request.user.account_id)
        delivery = new_delivery(webhook, "webhook.test", now, {"webhook_id": webhook.id}, id=message_id(cause), now=now)
        await _write(request, (delivery,))
        return json_response(DeliveryView.of(delivery), HTTPStatus.ACCEPTED)

    return await run_idempotent(request, make)


@post(
    "/webhooks/{webhook_id:str}/replay",
    opt=WEBHOOKS | RUNS_AGAIN,
    status_code=HTTPStatus.ACCEPTED,
    responses=PROBLEMS,
    summary="Send messages to a webhook again",
)
async def replay(request: ApiRequest, webhook_id: FromPath[UUID], data: JSONBody[WebhookReplay]) -> Response[WebhookReplayed]:
    """The messages of a time, or those named, whatever became of them; each keeps its id. They reach back seven days."""

    async def make() -> Response[Any]:
        webhook, now = await _find_enabled(request, webhook_id), request.core.clock.now()
        if (data.since is None) == (not data.delivery_ids):
            raise invalid_field("since", "name a time or messages", "exactly one of since and delivery_ids")
        if data.since is not None:
            chosen = await _of_time(request, webhook, data.since, data.until or now + timedelta(seconds=1))
        else:
            chosen = await _find_named(request, webhook, data.delivery_ids)
        again = [replay_delivery(delivery, now) for delivery in chosen]
        for start in range(0, len(again), PUBLISHED_TOGETHER):
            await _write(request, again[start : start + PUBLISHED_TOGETHER])
        ids = tuple(delivery.id for delivery in again)
        return json_response(WebhookReplayed(replayed=len(ids), delivery_ids=ids), HTTPStatus.ACCEPTED)

    return await run_idempotent(request, make)


async def _find_enabled(request: ApiRequest, webhook_id: UUID) -> Webhook:
    webhook = await find_webhook(request, webhook_id)
    if webhook.disabled:
        raise Refused(WEBHOOK_DISABLED)
    return webhook


async def _of_time(request: ApiRequest, webhook: Webhook, since: datetime, until: datetime) -> Sequence[WebhookDelivery]:
    ports = request.ports(NoticePorts)
    found = await ports.deliveries.between(webhook.id, rank_of(since), rank_of(until), ports.settings.replay_max + 1)
    if len(found) > ports.settings.replay_max:
        raise Refused(REPLAY_TOO_LARGE, f"a replay has at most {ports.settings.replay_max} messages (CLAW_WEBHOOK_REPLAY_MAX)")
    return found


async def _find_named(request: ApiRequest, webhook: Webhook, delivery_ids: Sequence[str]) -> Sequence[WebhookDelivery]:
    ports, wanted = request.ports(NoticePorts), tuple(dict.fromkeys(delivery_ids))
    if len(wanted) > ports.settings.replay_max:
        raise Refused(REPLAY_TOO_LARGE, f"a replay has at most {ports.settings.replay_max} messages (CLAW_WEBHOOK_REPLAY_MAX)")
    found = await ports.deliveries.get_many(webhook.id, wanted)
    if missing := [each for each in wanted if each not in found]:
        raise Refused("not_found", f"there is no delivery {missing[0]} of this webhook")
    return [found[each] for each in wanted]


async def _write(request: ApiRequest, deliveries: Sequence[WebhookDelivery]) -> None:
    events = [await request.event(DeliveryChanged, delivery.id, delivery) for delivery in deliveries]
    outgoing = [Outgoing(DELIVERIES_CHANGED, event, key=delivery.webhook_id) for event, delivery in zip(events, deliveries, strict=True)]
    await request.core.records.change(*outgoing)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_, read, send_test, replay], tags=["webhooks"])
