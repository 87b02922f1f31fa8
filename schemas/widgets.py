"""Widgets: what bounds the API key of one."""

from msgspec import Struct

PER_MINUTE_MAX, PER_DAY_MAX, STREAMS_MAX = 100_000, 10_000_000, 4_000  # of a key's own limits, and of the installation's
ORIGINS_MAX = 32  # of one key


class WidgetAccess(Struct, frozen=True, kw_only=True):
    """What makes an API key that of a widget: it stands in a page for everybody to read, so it is good for questions and for nothing else.

    ``origins`` of the pages, as browsers write them; ``knowledge_base_ids`` are all that it is asked about. The limits, per minute for the
    visitors of one address and for the key as a whole, questions per UTC day, and the share of the account's quotas, token limits and open
    replies beyond which visitors are refused, are those of the installation where they are None.
    """

    origins: tuple[str, ...]
    knowledge_base_ids: tuple[str, ...]
    visitor_requests_per_minute: int | None = None
    visitor_questions_per_minute: int | None = None
    requests_per_minute: int | None = None
    questions_per_minute: int | None = None
    questions_per_day: int | None = None
    streams_max: int | None = None
    account_share: float | None = None
