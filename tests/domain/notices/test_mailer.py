"""Mails on a real Redis, under a clock of the test: once per id, again while the server does not take them, after a death from the log."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from prometheus_client import CollectorRegistry

from adapters.mail.messages import MailSender
from adapters.secrets.links import Links
from domain.notices.mailer import DELAYS_S, Mailer
from domain.read_models import ReadModels
from schemas.errors import Refused, Unavailable
from schemas.events import encode
from schemas.notices import LinkRequest, MailEnded, MailRequest, MailRequested
from streams.log.outgoing import LogOffset
from streams.log.range_reader import LogRecord
from streams.tables.record_writer import RecordWriter
from tests.support.ports import RememberingPublisher

pytestmark = pytest.mark.stack
BEGIN = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLACE = LogOffset("claw.mails.requested.v1", 0, 41)


class HandClock:
    at = BEGIN

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()


class OneRecord:
    """The log, with one request on it."""

    def __init__(self, event: MailRequested) -> None:
        self.event, self.read = event, 0

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        self.read += 1
        assert (partition, start, stop) == (0, 41, 42)
        yield LogRecord(41, encode(self.event))


def requested(link_for: timedelta | None = timedelta(hours=2)) -> MailRequested:
    link = None if link_for is None else LinkRequest(purpose="reset_password", subject="ada", binding="b1", expires_at=BEGIN + link_for)
    mail = MailRequest(id="m1", tenant="acme", account_id="ada", address="ada@example.com", template="reset_password", link=link)
    return MailRequested(id="e1", source="/claw/api", subject="m1", time=BEGIN, tenant="acme", traceparent="", data=mail)


class House:
    def __init__(self, redis, settings, *, has_server: bool = True, link_for: timedelta | None = timedelta(hours=2)) -> None:
        self.redis, self.settings, self.has_server = redis, settings, has_server
        self.clock, self.publisher = HandClock(), RememberingPublisher()
        self.event = requested(link_for)
        self.log = OneRecord(self.event)
        self.sent: list[EmailMessage] = []
        self.failures: list[Exception] = []
        self.tables = ReadModels(redis, settings.redis.key_prefix)
        self.mailer = self.new_mailer()

    def new_mailer(self) -> Mailer:
        prefix = self.settings.redis.key_prefix
        records = RecordWriter(self.redis, prefix, self.publisher, self.tables, self.clock)
        parts = (self.redis, prefix, self.tables, records, self.log, Links(self.settings.auth), self.send if self.has_server else None)
        sender, pages = MailSender("Claw", "claw@example.org"), "https://claw.test"
        return Mailer(*parts, sender, self.clock, concurrency=2, pages_url=pages, registry=CollectorRegistry())

    async def send(self, message: EmailMessage) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)

    async def round(self, after_s: float = 0) -> None:
        self.clock.at += timedelta(seconds=after_s)
        await self.mailer.loop.run_once()
        await self.mailer.loop.finish(5)

    def results(self) -> list[tuple[str, int]]:
        return [(event.data.outcome, event.data.tries) for event in self.publisher.events() if isinstance(event, MailEnded)]


@pytest.fixture
async def house(redis, settings) -> House:
    house = House(redis, settings)
    await house.mailer.loop.take_partition(0)
    return house


async def test_a_mail_is_sent_once_however_often_it_is_asked_for(house):
    for _ in range(3):
        await house.mailer.add(house.event, PLACE)
        await house.round(1)
    (mail,) = house.sent
    assert house.results() == [("sent", 1)]
    token = mail.get_content().partition("https://claw.test/reset-password#token=")[2].split()[0]
    assert Links(house.settings.auth).read(token, "reset_password", BEGIN).subject == "ada"


async def test_a_server_that_is_away_gets_the_mail_later_also_from_another_worker(house):
    """Two failures, then the worker dies; the next one reads the request from the log and sends it."""
    house.failures = [Unavailable("mail_unavailable", "451 later")] * 2
    await house.mailer.add(house.event, PLACE)
    await house.round()
    await house.round(DELAYS_S[0] - 1)
    assert len(house.failures) == 1, "not before its time"
    await house.round(2)
    assert house.failures == []
    house.mailer = house.new_mailer()
    await house.mailer.loop.take_partition(0)
    await house.round(DELAYS_S[1] + 1)
    assert (len(house.sent), house.log.read, house.results()) == (1, 1, [("sent", 3)])


async def test_what_the_server_refuses_for_good_is_not_tried_again(house):
    house.failures = [Refused("mail_refused", "550 nobody here")]
    await house.mailer.add(house.event, PLACE)
    await house.round()
    await house.round(100_000)
    assert (house.sent, house.results()) == ([], [("failed", 1)])


async def test_after_a_day_it_is_given_up(redis, settings):
    house = House(redis, settings, link_for=None)
    await house.mailer.loop.take_partition(0)
    house.failures = [Unavailable("mail_unavailable")] * 50
    await house.mailer.add(house.event, PLACE)
    for _ in range(20):
        await house.round(DELAYS_S[-1] + 1)
    assert house.results() == [("failed", len(DELAYS_S) + 1)]


async def test_an_expired_link_and_a_missing_server_skip_the_mail(redis, settings):
    expired, without = House(redis, settings, link_for=timedelta(0)), House(redis, settings, has_server=False)
    for house in (expired, without):
        await redis.execute_command("UNLINK", *await redis.keys(f"{settings.redis.key_prefix}:*") or ["none"])
        await house.mailer.loop.take_partition(0)
        await house.mailer.add(house.event, PLACE)
        await house.round()
        assert (house.sent, house.results()) == ([], [("skipped", 1)])
