"""``claw usage reconcile``: compares the usage counters with their topic, to the last token, while the stack serves."""

import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from adapters.redis.client import connect
from domain.usage.area import usage_shadow_rebuild
from ops.commands.redrive import seconds_of
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.reader import open_log_reader
from streams.tables.shadow_rebuild import Difference

SHOWN_MAX = 50  # differences printed; all are counted


async def reconcile(settings: Settings, *, since: str, repair: bool) -> int:
    """Count again and compare; exit code 1 on a difference. ``repair`` then rebuilds the counters and compares once more."""
    now = SystemClock().now()
    begin = now - timedelta(seconds=seconds_of(since)) if since else None
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        await redis.execute_command("PING")
        reader = await stack.enter_async_context(open_log_reader(settings.kafka))
        shadows = usage_shadow_rebuild(settings, redis, reader)
        compared = await shadows.find_differences(now, begin)
        for difference in compared.differences[:SHOWN_MAX]:
            print(_format_difference(difference), file=sys.stderr)
        if len(compared.differences) > SHOWN_MAX:
            print(f"... and {len(compared.differences) - SHOWN_MAX} more", file=sys.stderr)
        print(f"{compared.events} events, {compared.values} sums compared, {len(compared.differences)} differ")
        if not compared.differences:
            return 0
        if repair:
            await shadows.rebuild()
            left = len((await shadows.find_differences(now, begin)).differences)
            print(f"rebuilt from the topic: {left} differ")
            return int(left > 0)
        print("`--repair` rebuilds the counters from the topic", file=sys.stderr)
        return 1


def _format_difference(difference: Difference) -> str:
    start = datetime.fromtimestamp(difference.bucket, UTC)
    names = sorted(difference.counted.keys() | difference.recounted.keys())
    sums = [(name, difference.counted.get(name, 0), difference.recounted.get(name, 0)) for name in names]
    wrong = ", ".join(f"{name} {counted} instead of {recounted}" for name, counted, recounted in sums if counted != recounted)
    return f"{difference.key}\t{difference.scale} {start:%Y-%m-%dT%H:%MZ}\t{wrong or 'a sum of nothing'}"
