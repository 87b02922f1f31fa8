"""Statistics of use: everybody sees their own, admins the tenant's and those of its accounts, operators the installation's."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from api.http.csv_lines import csv_line
from api.http.gate import ADMIN, ANYBODY
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from api.statistics.ports import StatisticsPorts
from api.statistics.views import read_statistics, table_lines
from domain.statistics.table import INSTALLATION_SCOPE, By, StatisticsScope, account_scope, tenant_scope
from schemas.bodies.statistics import StatisticsView
from schemas.errors import Refused

DEFAULT_DAYS = 30

From = Annotated[date | None, QueryParameter(name="from", description="The first day; by default 29 days before `to`.")]
To = Annotated[date | None, QueryParameter(name="to", description="The last day; by default today.")]
Rows = Annotated[By, QueryParameter(name="by", description="What a row is: a day, a week from Monday, or a month.")]
OfAccount = Annotated[UUID | None, QueryParameter(name="user", description="Only this account of the tenant.")]
EveryTenant = Annotated[bool, QueryParameter(name="all", description="Of the whole installation; operators only.")]

_CSV = ResponseSpec(data_container=str, description="The rows with a head.", generate_examples=False, media_type="text/csv")


@get("/users/me/usage/statistics", opt=ANYBODY, responses=PROBLEMS, summary="Get your statistics")
async def mine(request: ApiRequest, start: From = None, end: To = None, by: Rows = "day") -> StatisticsView:
    """What you asked, how it ended, your ratings, tokens and documents, by day in the installation's time zone. An event counts within
    seconds, and is kept for as many days as the operator set.
    """
    return await _read(request, account_scope(request.user.tenant, request.user.account_id), start, end, by)


@get("/usage/statistics", opt=ADMIN, responses=PROBLEMS, summary="Get the tenant's statistics")
async def tenants(
    request: ApiRequest,
    start: From = None,
    end: To = None,
    by: Rows = "day",
    user: OfAccount = None,
    everything: EveryTenant = False,  # noqa: FBT002
) -> StatisticsView:
    """With active and registered accounts and their retention; of one account without."""
    return await _read(request, _scope(request, user, everything=everything), start, end, by)


@get(
    "/usage/statistics/export",
    opt=ADMIN,
    responses={**PROBLEMS, 200: _CSV},
    summary="Export the tenant's statistics",
    media_type="text/csv",
)
async def export(
    request: ApiRequest,
    start: From = None,
    end: To = None,
    by: Rows = "day",
    user: OfAccount = None,
    everything: EveryTenant = False,  # noqa: FBT002
) -> Response[bytes]:
    """The rows as a CSV file."""
    view = await _read(request, _scope(request, user, everything=everything), start, end, by)
    headers = {"content-disposition": 'attachment; filename="statistics.csv"'}
    return Response(b"".join(map(csv_line, table_lines(view))), media_type="text/csv", headers=headers)


def _scope(request: ApiRequest, user: UUID | None, *, everything: bool) -> StatisticsScope:
    caller = request.user
    if everything and not caller.has_role("operator"):
        raise Refused("forbidden", f"all=true needs an account with the role operator; yours has the role {caller.role}")
    if everything and user is not None:
        raise invalid_field("query.all", "cannot be combined with `user`", "one of both")
    if everything:
        return INSTALLATION_SCOPE
    return tenant_scope(caller.tenant) if user is None else account_scope(caller.tenant, str(user))


async def _read(request: ApiRequest, scope: StatisticsScope, start: date | None, end: date | None, by: By) -> StatisticsView:
    table, now = request.ports(StatisticsPorts).table, request.core.clock.now()
    today, oldest = table.day_of(now), table.oldest_day(now)
    last = today if end is None else end
    if not oldest <= last <= today:
        raise invalid_field("query.to", "is no day that is kept", f"from {oldest} to {today}")
    first = max(oldest, last - timedelta(days=DEFAULT_DAYS - 1)) if start is None else start
    if not oldest <= first <= last:
        raise invalid_field("query.from", "is after `to`, or no day that is kept", f"from {oldest} to {last}")
    return await read_statistics(table, scope, first, last, by, today)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[mine, tenants, export], tags=["usage"])
