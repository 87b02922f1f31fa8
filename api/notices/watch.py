"""Watching the notices of an account: ``claw.notices.changed.v1`` and the table of notices."""

from collections.abc import Callable

import msgspec
import structlog

from api.http.watch import TopicWatch
from domain.notices.records import is_shown
from domain.notices.texts import notice_text
from domain.notices.topics import NOTICES_CHANGED
from schemas.bodies.notices import NoticeView
from schemas.bodies.streams import NoticeSnapshot
from schemas.errors import Unavailable
from schemas.notices import Language, Notice, NoticeChanged
from schemas.settings import KafkaSettings
from streams.tables.record_table import RecordTable

NEWEST_MAX = 20  # notices of a snapshot

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(NoticeChanged).decode


def watch_notices(kafka: KafkaSettings) -> TopicWatch[Notice]:
    """The watch of one process; its groups are accounts."""
    return TopicWatch(kafka, NOTICES_CHANGED, lambda key: key.partition(b"/")[0], _decode_notice)


def view_notice(notice: Notice, language: Language) -> NoticeView:
    """The notice with its text in this language."""
    text = notice_text(notice.kind, notice.fields, language)
    return NoticeView(
        id=notice.id,
        kind=notice.kind,
        title=text.title,
        text=text.body,
        fields=notice.fields,
        created_at=notice.created_at,
        read_at=notice.read_at,
    )


class WatchedNotices:
    """One stream's view of an account's notices."""

    def __init__(self, notices: RecordTable[Notice], unread: RecordTable[Notice], account_id: str, language: Language) -> None:
        self._notices, self._unread, self._account_id, self._language = notices, unread, account_id, language

    @property
    def group(self) -> bytes:
        """The group of its records."""
        return self._account_id.encode()

    async def check_access(self) -> None:
        """An account may always watch its own notices; its credential is checked by the stream's length."""

    async def update(self, data: Notice) -> tuple[str, NoticeView]:
        """``notice``: a notice was created, or read."""
        return "notice", view_notice(data, self._language)

    async def snapshot(self, take_recent: Callable[[], list[Notice]]) -> NoticeSnapshot | None:
        """What is there; None while Redis is down."""
        try:
            page = await self._notices.list(self._account_id, limit=NEWEST_MAX)
            unread_ids = set(await self._unread.ids(self._account_id))
        except Unavailable as error:
            log.warning("snapshot_not_made", cause=str(error))
            return None
        known = {notice.id: notice for notice in page.items}
        for notice in take_recent():
            known.setdefault(notice.id, notice)
            if notice.read_at is not None:
                known[notice.id] = notice
                unread_ids.discard(notice.id)
            elif known[notice.id].read_at is None:
                unread_ids.add(notice.id)
        newest = sorted(known.values(), key=lambda each: each.created_at, reverse=True)[:NEWEST_MAX]
        return NoticeSnapshot(unread=len(unread_ids), newest=tuple(view_notice(each, self._language) for each in newest))


def _decode_notice(value: bytes) -> Notice | None:
    """None for a value that is not such an event, or is not shown in the product."""
    try:
        event = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("notice_undecodable", error=str(error))
        return None
    return event.data if is_shown(event) else None
