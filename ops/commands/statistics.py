"""``claw usage statistics``: the statistics of use, as CSV or JSON."""

import sys
from contextlib import AsyncExitStack
from datetime import date, timedelta

import msgspec

from adapters.redis.client import connect
from api.http.csv_lines import csv_line
from api.statistics.views import read_statistics, table_lines
from domain.statistics.table import INSTALLATION_SCOPE, By, StatisticsTable, account_scope, tenant_scope
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.clock import SystemClock

DEFAULT_DAYS = 30


async def show(settings: Settings, tenant: str, account: str, first: date | None, last: date | None, *, by: By, as_json: bool) -> int:
    """Print them; without a tenant those of the installation."""
    if account and not tenant:
        raise ConfigurationError("--account: needs --tenant, the tenant of the account")
    scope = account_scope(tenant, account) if account else tenant_scope(tenant) if tenant else INSTALLATION_SCOPE
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        table, now = StatisticsTable(redis, settings), SystemClock().now()
        today, oldest = table.day_of(now), table.oldest_day(now)
        end = last or today
        begin = first or max(oldest, end - timedelta(days=DEFAULT_DAYS - 1))
        if not oldest <= begin <= end <= today:
            raise ConfigurationError(f"--from and --to: kept are the days from {oldest} to {today}, and the first comes first")
        view = await read_statistics(table, scope, begin, end, by, today)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(view)).decode())
    else:
        sys.stdout.write(b"".join(map(csv_line, table_lines(view))).decode().replace("\r\n", "\n"))
    return 0
