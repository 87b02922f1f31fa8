"""Settings of quotas: usage per user, by tier."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.records import Tier
from schemas.settings.section import Section

Amount = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Measure = Literal["messages", "tokens"]
Period = Literal["day", "month"]

MEASURES: tuple[Measure, ...] = ("messages", "tokens")
PERIODS: tuple[Period, ...] = ("day", "month")


class QuotaSettings(Section, frozen=True, kw_only=True):
    """Usage of one user in a day and in a calendar month (UTC), by tier; 0 = no quota. Further questions get 429 quota_exceeded.

    Answers count when they end, so a user can exceed a quota by the answers in progress at that moment.
    """

    prefix: ClassVar[str] = "CLAW_QUOTA_"

    free_messages_per_day: Annotated[Amount, Meta(description="Answers a day, tier free.")] = 0
    free_messages_per_month: Annotated[Amount, Meta(description="Answers a month, tier free.")] = 0
    free_tokens_per_day: Annotated[Amount, Meta(description="Model tokens a day, prompts included, tier free.")] = 0
    free_tokens_per_month: Annotated[Amount, Meta(description="Model tokens a month, tier free.")] = 0
    pro_messages_per_day: Annotated[Amount, Meta(description="Answers a day, tier pro.")] = 0
    pro_messages_per_month: Annotated[Amount, Meta(description="Answers a month, tier pro.")] = 0
    pro_tokens_per_day: Annotated[Amount, Meta(description="Model tokens a day, tier pro.")] = 0
    pro_tokens_per_month: Annotated[Amount, Meta(description="Model tokens a month, tier pro.")] = 0
    enterprise_messages_per_day: Annotated[Amount, Meta(description="Answers a day, tier enterprise.")] = 0
    enterprise_messages_per_month: Annotated[Amount, Meta(description="Answers a month, tier enterprise.")] = 0
    enterprise_tokens_per_day: Annotated[Amount, Meta(description="Model tokens a day, tier enterprise.")] = 0
    enterprise_tokens_per_month: Annotated[Amount, Meta(description="Model tokens a month, tier enterprise.")] = 0

    def of(self, tier: Tier) -> dict[tuple[Measure, Period], int]:
        """The quotas of a tier that are set."""
        found = {(what, period): int(getattr(self, f"{tier}_{what}_per_{period}")) for period in PERIODS for what in MEASURES}
        return {each: limit for each, limit in found.items() if limit}
