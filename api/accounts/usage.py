"""Usage: the caller's own, and for admins the tenant's."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Router, get
from litestar.params import QueryParameter

from api.accounts.ports import AccountPorts
from api.http.gate import ADMIN, ANYBODY
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field, to_utc
from api.limits.quotas import own_partition
from domain.usage.counters import ScaleName, UsageTotals, api_key_key, split_by_model, sum_models, tenant_key, user_key
from schemas.bodies.usage import OwnUsageView, SpentView, StorageView, TenantUsageView, UsageItem
from schemas.errors import Refused
from streams.tables.windows import BUCKETS_MAX

DEFAULT_RANGES: dict[ScaleName, timedelta] = {
    "minute": timedelta(hours=1),
    "hour": timedelta(days=1),
    "day": timedelta(days=30),
    "month": timedelta(days=90),
}

Scale = Annotated[ScaleName, QueryParameter(name="window", description="The length of the windows, in UTC.")]
From = Annotated[
    datetime | None,
    QueryParameter(name="from", description="The first moment; by default an hour, a day, 30 days or 90 days ago, by window."),
]
To = Annotated[datetime | None, QueryParameter(name="to", description="The end, exclusive; by default now.")]
Key = Annotated[UUID | None, QueryParameter(name="api_key", description="Only usage of this API key.")]
Account = Annotated[UUID | None, QueryParameter(name="user", description="Only usage of this account.")]


@get("/users/me/usage", opt=ANYBODY, responses=PROBLEMS, summary="Get your usage")
async def mine(request: ApiRequest, window: Scale = "day", start: From = None, end: To = None, api_key: Key = None) -> OwnUsageView:
    """Answers, tokens and cost by model, and what is left of the quotas. Kept for a day by minute, 14 days by hour, else 90 days.

    An answer is counted within a second of its end.
    """
    ports, caller = request.ports(AccountPorts), request.user
    if api_key is not None:
        credential = await ports.core.read_models.credentials.get(str(api_key), str(api_key))
        if credential is None or credential.account_id != caller.account_id:
            raise Refused("not_found", f"there is no API key {api_key}")
    key = user_key(caller.tenant, caller.account_id) if api_key is None else api_key_key(caller.tenant, str(api_key))
    spent = await _read_usage(request, window, start, end, key, own_partition(ports.usage, caller.account_id))
    return OwnUsageView(**spent, quotas=await ports.quotas.views(caller))


@get("/usage", opt=ADMIN, responses=PROBLEMS, summary="Get the tenant's usage")
async def tenants(
    request: ApiRequest, window: Scale = "day", start: From = None, end: To = None, user: Account = None, api_key: Key = None
) -> TenantUsageView:
    """Of all accounts, of one account or of one API key, and what the tenant stores."""
    tenant = request.user.tenant
    if user is not None and api_key is not None:
        raise invalid_field("query.api_key", "cannot be combined with `user`", "one of both")
    key = tenant_key(tenant)
    if user is not None:
        key = user_key(tenant, str(user))
    elif api_key is not None:
        key = api_key_key(tenant, str(api_key))
    spent = await _read_usage(request, window, start, end, key, None)
    stored = await request.ports(AccountPorts).storage.totals(tenant)
    return TenantUsageView(**spent, storage=StorageView(documents=stored.documents, bytes=stored.bytes, chunks=stored.chunks))


async def _read_usage(
    request: ApiRequest, window: ScaleName, start: datetime | None, end: datetime | None, key: str, partitions: Sequence[int] | None
) -> dict[str, Any]:
    """The fields that both usage views share."""
    end = to_utc("query.to", end) if end is not None else request.core.clock.now()
    start = to_utc("query.from", start) if start is not None else end - DEFAULT_RANGES[window]
    if start >= end:
        raise invalid_field("query.from", "is not before `to`")
    try:
        found = await request.ports(AccountPorts).usage.range(key, start, end, scale=window, partitions=partitions)
    except ValueError:
        raise invalid_field("query.from", f"is too far from `to` for the window {window}", f"{BUCKETS_MAX} windows") from None
    models: dict[str, UsageTotals] = {}
    items = []
    for at, sums in found:
        spent = split_by_model(sums)
        items.append(UsageItem(start=at, total=_view(sum_models(spent)), models=_views(spent)))
        models = {model: models.get(model, UsageTotals()) + spent.get(model, UsageTotals()) for model in sorted(models | spent)}
    return {
        "window": window,
        "start": start,
        "end": end,
        "total": _view(sum_models(models)),
        "models": _views(models),
        "items": tuple(items),
    }


def _view(spent: UsageTotals) -> SpentView:
    return SpentView(
        messages=spent.messages,
        cached=spent.cached,
        prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
        reasoning_tokens=spent.reasoning_tokens,
        cached_tokens=spent.cached_tokens,
        cost_micros=spent.cost_micros,
    )


def _views(models: Mapping[str, UsageTotals]) -> dict[str, SpentView]:
    return {model: _view(spent) for model, spent in models.items()}


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[mine, tenants], tags=["usage"])
