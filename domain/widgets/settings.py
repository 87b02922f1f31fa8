"""Settings of widgets: the limits of keys that name none of their own."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section
from schemas.widgets import PER_DAY_MAX, PER_MINUTE_MAX, STREAMS_MAX


class WidgetSettings(Section, frozen=True, kw_only=True):
    """Limits of API keys of widgets that have none of their own. The rules of the installation by address apply as well."""

    prefix: ClassVar[str] = "CLAW_WIDGET_"

    visitor_requests_per_minute: Annotated[
        int, Meta(ge=1, le=PER_MINUTE_MAX, description="Requests with one key from one client address; of IPv6 per /64.")
    ] = 60
    visitor_questions_per_minute: Annotated[
        int, Meta(ge=1, le=PER_MINUTE_MAX, description="Questions with one key from one client address; of IPv6 per /64.")
    ] = 6
    requests_per_minute: Annotated[int, Meta(ge=1, le=PER_MINUTE_MAX, description="Requests with one key, of all visitors together.")] = 600
    questions_per_minute: Annotated[int, Meta(ge=1, le=PER_MINUTE_MAX, description="Questions with one key, of all visitors together.")] = (
        30
    )
    questions_per_day: Annotated[
        int, Meta(ge=1, le=PER_DAY_MAX, description="Questions with one key in a day (UTC); then it is refused until midnight.")
    ] = 1_000
    streams_max: Annotated[int, Meta(ge=1, le=STREAMS_MAX, description="Open event streams of one key, of all visitors together.")] = 50
    account_share: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Share of its account's quotas, token limits and open replies that visitors may use up.",
        ),
    ] = 0.5
    question_chars_max: Annotated[int, Meta(ge=1, le=8_000, description="Longest question of a visitor.")] = 2_000
