"""New notices: what they are made of, whoever makes them."""

from collections.abc import Mapping
from datetime import datetime

from domain.notices.records import NOTICE_PREFERENCES
from domain.notices.texts import channels_of
from domain.notices.topics import NOTICES_CHANGED
from schemas import ids
from schemas.notices import Notice, NoticeChanged, NoticeKind
from streams.log.outgoing import Outgoing
from streams.tables.projection import Tables


def notice_key(notice: Notice) -> str:
    """The key of a notice's events."""
    return f"{notice.account_id}/{notice.id}"


async def new_notice(
    tables: Tables, tenant: str, account_id: str, kind: NoticeKind, fields: Mapping[str, str], now: datetime, *cause: str | int
) -> Notice | None:
    """The notice to this account that follows from ``cause``; None when the account wants none of this kind.

    Raises Unavailable("redis_unavailable").
    """
    channels = channels_of(await tables.of(NOTICE_PREFERENCES).get(account_id, account_id), kind)
    if not channels:
        return None
    return Notice(
        id=ids.derive("notice", account_id, kind, *cause),
        tenant=tenant,
        account_id=account_id,
        kind=kind,
        channels=channels,
        fields=dict(fields),
        created_at=now,
    )


def notice_event(notice: Notice, source: str, traceparent: str, now: datetime, cause: str = "") -> Outgoing:
    """The event that creates the notice; ``source`` writes it. A repeat has the same id."""
    event = NoticeChanged(
        id=ids.derive("notice-created", notice.id),
        source=f"/claw/{source}",
        subject=notice.id,
        time=now,
        tenant=notice.tenant,
        traceparent=traceparent,
        causationid=cause,
        data=notice,
    )
    return Outgoing(NOTICES_CHANGED, event, key=notice_key(notice))
