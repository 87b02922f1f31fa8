"""Mails as they are requested on the log, and the links that their sender would put into them."""

import asyncio

from aiokafka import AIOKafkaConsumer

from adapters.kafka import connection_options
from adapters.secrets.links import Links
from domain.notices.topics import MAILS_REQUESTED
from schemas.notices import MailRequest
from schemas.settings import Settings
from streams.topics import decoder


async def requested_mails(settings: Settings, account_id: str, count: int) -> list[MailRequest]:
    """The first ``count`` mails that were requested for this account, in order."""
    consumer = AIOKafkaConsumer(
        settings.kafka.topic_prefix + MAILS_REQUESTED.name, **connection_options(settings.kafka), auto_offset_reset="earliest"
    )
    decode, found = decoder(MAILS_REQUESTED).decode, list[MailRequest]()
    await consumer.start()
    try:
        async with asyncio.timeout(10):
            while len(found) < count:
                mail = decode((await consumer.getone()).value or b"").data
                if mail.account_id == account_id:
                    found.append(mail)
    finally:
        await consumer.stop()
    return sorted(found, key=lambda mail: mail.link.expires_at if mail.link else 0)


def link_text(settings: Settings, mail: MailRequest) -> str:
    """What the link of the mail carries."""
    assert mail.link is not None
    return Links(settings.auth).issue(mail.link.purpose, mail.link.subject, mail.link.binding, mail.link.expires_at)
