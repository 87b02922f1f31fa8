"""Usage, counted from ``claw.usage.recorded.v1`` per user, API key, tenant and installation, by model, in minutes, hours, days, months.

All four scales and all owners of an event move in one script under one mark, so they never disagree. A bucket lives at most as long as
its events are kept on the log: whatever is shown can be proven, and a rebuild gives the same.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from adapters.redis.client import RedisClient
from schemas.chats import UsageRecorded
from streams.log.range_reader import LogRecord
from streams.tables.counters import Change, Counter
from streams.tables.windows import Months, Scale, tumbling

ScaleName = Literal["minute", "hour", "day", "month"]

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
LOG_RETENTION_S = 90 * DAY_S  # retention of the topic
MONTH_S_MAX = 31 * DAY_S
NO_MODEL = "none"  # a recorded answer whose model has no name

SCALES: tuple[Scale, ...] = (
    Scale("minute", tumbling(MINUTE_S), DAY_S),
    Scale("hour", tumbling(HOUR_S), 14 * DAY_S),
    Scale("day", tumbling(DAY_S), LOG_RETENTION_S - DAY_S),
    Scale("month", Months(), LOG_RETENTION_S - MONTH_S_MAX),
)


_DECODER = msgspec.json.Decoder(UsageRecorded)


class UsageTotals(Struct, frozen=True, kw_only=True):
    """``messages``: answers given, of which ``cached`` cost nothing. Tokens and ``cost_micros`` (millionths of the currency of the
    settings) are those of answers, of calls that gave none, and of what models wrote beside them: condensed questions, summaries, titles.
    ``reasoning_tokens`` are among the completion's, ``cached_tokens`` among the prompt's.
    """

    messages: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0

    @property
    def tokens(self) -> int:
        """Of both kinds."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "UsageTotals") -> "UsageTotals":
        return UsageTotals(
            messages=self.messages + other.messages,
            cached=self.cached + other.cached,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cost_micros=self.cost_micros + other.cost_micros,
        )


def usage_counter(redis: RedisClient, prefix: str, partitions: int) -> Counter:
    """The counter; ``partitions`` of ``claw.usage.recorded.v1``. Read it with the keys below and ``by_model``."""
    return Counter(redis, prefix, "usage", partitions=partitions, scales=SCALES)


def user_key(tenant: str, user_id: str) -> str:
    """One person's, in all conversations and by all of their keys; only in the partition of the user id."""
    return f"user/{tenant}/{user_id}"


def api_key_key(tenant: str, api_key_id: str) -> str:
    """What one API key spent; only in the partition of its user's id."""
    return f"key/{tenant}/{api_key_id}"


def tenant_key(tenant: str) -> str:
    """The key of a tenant; in every partition."""
    return f"tenant/{tenant}"


def installation_key() -> str:
    """The key of all tenants together; in every partition."""
    return "installation"


def usage_changes(event: UsageRecorded) -> Sequence[Change]:
    """What one event adds. A cached answer is an answer; the tokens it names were paid for when it was made. A reply that ended before any
    model was asked is none.
    """
    spent, paid = event.data, not event.data.cached
    answer = spent.purpose == "answer" and bool(spent.cached or spent.prompt_tokens or spent.completion_tokens or spent.reserved)
    counts = {
        "messages": int(answer),
        "cached": int(answer and spent.cached),
        "prompt_tokens": spent.prompt_tokens if paid else 0,
        "completion_tokens": spent.completion_tokens if paid else 0,
        "reasoning_tokens": spent.reasoning_tokens if paid else 0,
        "cached_tokens": spent.cached_tokens if paid else 0,
        "cost_micros": spent.cost_micros if paid else 0,
    }
    fields = {f"{what}:{spent.model or NO_MODEL}": count for what, count in counts.items() if count}
    if spent.purpose == "unshown_answer":
        return [Change(installation_key(), fields, event.time)] if fields else ()
    keys = [user_key(event.tenant, spent.user_id), tenant_key(event.tenant), installation_key()]
    if spent.api_key_id:
        keys.append(api_key_key(event.tenant, spent.api_key_id))
    return [Change(key, fields, event.time) for key in keys] if fields else ()


def split_by_model(sums: Mapping[str, int]) -> dict[str, UsageTotals]:
    """The sums of one bucket by model."""
    found: dict[str, dict[str, int]] = {}
    for field, value in sums.items():
        what, _, model = field.partition(":")
        found.setdefault(model, {})[what] = value
    return {
        model: UsageTotals(**{what: value for what, value in counts.items() if what in UsageTotals.__struct_fields__})
        for model, counts in sorted(found.items())
    }


def sum_models(models: Mapping[str, UsageTotals]) -> UsageTotals:
    """All models together."""
    return sum(models.values(), UsageTotals())


def decode_usage_changes(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    """The event id and the changes of a record read from the log; None for a record that the wrapper has put to the dead letters."""
    try:
        event = _DECODER.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event.id, usage_changes(event)
