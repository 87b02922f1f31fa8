"""Sends what mails are due: each once per id, as far as SMTP allows, and again later while the server does not take it.

What is to be sent stands on the log; a durable timer points at its place there. A mail whose result is known is not sent again. Between the
server's acknowledgement and the result on the log lies a moment in which a death repeats a mail: its Message-ID is then the same.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from functools import partial
from urllib.parse import quote

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from adapters.mail.messages import MailSender, build_message
from adapters.redis.client import RedisClient
from adapters.secrets.links import Links
from domain.notices.mail_texts import mail_text
from domain.notices.records import MAIL_RESULTS
from domain.notices.topics import MAILS_ENDED
from schemas.errors import Refused, Unavailable
from schemas.notices import LinkPurpose, MailEnded, MailOutcome, MailRequested, MailResult
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.range_reader import RangeSource
from streams.runtime.timer_loop import TimerLoop
from streams.runtime.timers import Timer, Timers, TimerSetting
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

NAME = "send_mail"
CLAIMED_S = 120  # a mail that is being sent is due again after this, should its process die; the shortest delay
DELAYS_S = (120, 300, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200)  # after the first try, the second, …: a little over a day
RECENT_MAX = 1_000  # requests that were read lately and need not be read again
PAGES: dict[LinkPurpose, str] = {"verify_email": "verify-email", "reset_password": "reset-password", "invitation": "invitation"}

Send = Callable[[EmailMessage], Awaitable[None]]

_decode = msgspec.json.Decoder(MailRequested).decode

log = structlog.get_logger(__name__)


class Mailer:
    """``send`` is None where no mail server is set: every mail is then skipped, which is logged. ``links`` is None where this process has
    no signing secret: mails with a link wait for one that has. ``pages_url``: where links lead, without a slash at its end; "": mails have
    the link's text alone. ``loop`` runs it.
    """

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        tables: Tables,
        records: RecordWriter,
        requests: RangeSource,
        links: Links | None,
        send: Send | None,
        sender: MailSender,
        clock: Clock,
        *,
        concurrency: int,
        pages_url: str,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._timers, self._results = Timers(redis, prefix, "mails"), tables.of(MAIL_RESULTS)
        self._records, self._requests, self._links = records, requests, links
        self._send, self._sender, self._clock = send, sender, clock
        self._concurrency, self._pages_url = concurrency, pages_url
        self._recent: OrderedDict[str, MailRequested] = OrderedDict()
        self.loop = TimerLoop("mailer", self._take_over, self._serve)
        self._outcomes = Counter("claw_mails", "Attempts to send a mail, by what followed.", ("template", "outcome"), registry=registry)

    async def add(self, event: MailRequested, place: LogOffset) -> None:
        """The mail is to be sent now. Raises Unavailable."""
        timer_id = f"{place.offset}/{event.data.id}"
        self._recent[timer_id] = event
        while len(self._recent) > RECENT_MAX:
            self._recent.popitem(last=False)
        if await self._timers.set_many([TimerSetting(place.partition, timer_id, self._now_ms())]):
            raise Unavailable("overloaded", "too many mails wait for the mail server")
        self.loop.wake()

    async def _take_over(self, partition: int) -> int:
        return await self._timers.take_over(partition, self._now_ms())

    async def _serve(self, partition: int, token: int) -> int:
        free = self._concurrency - self.loop.under_way
        if free <= 0:
            return 0
        now_ms = self._now_ms()
        due = await self._timers.claim(partition, token, before_ms=now_ms + 1, again_at_ms=now_ms + CLAIMED_S * 1000, limit=free)
        for timer in due:
            self.loop.begin(timer.id, partial(self._try, timer))
        return len(due)

    async def _try(self, timer: Timer) -> None:
        """One attempt and what follows from it. Raises Unavailable of Redis and the log: the timer is due again."""
        mail_id = timer.id.partition("/")[2]
        event = None if await self._results.get(mail_id, mail_id) is not None else await self._request(timer)
        if event is None:  # its result is known, or the log has forgotten it
            await self._forget(timer)
            return
        outcome, detail = await self._attempt(event)
        self._outcomes.labels(event.data.template, outcome or "retried").inc()
        log.info(
            "mail_tried", mail=mail_id, template=event.data.template, outcome=outcome or "retried", tries=timer.fired + 1, detail=detail
        )
        if outcome is None and timer.fired < len(DELAYS_S):
            await self._timers.repeat(timer, self._now_ms() + DELAYS_S[timer.fired] * 1000)
            return
        await self._end(event, outcome or "failed", timer.fired + 1, detail)
        await self._forget(timer)

    async def _attempt(self, event: MailRequested) -> tuple[MailOutcome | None, str]:
        """The outcome, None for "try again", and the reason."""
        mail, now = event.data, self._clock.now()
        if mail.link is not None and mail.link.expires_at <= now:
            return "skipped", "its link has expired"
        if self._send is None:
            return "skipped", "no mail server is set (CLAW_MAIL_HOST)"
        if mail.link is not None and self._links is None:
            return None, "this worker cannot sign its link: set CLAW_AUTH_SECRET"
        expires_at = mail.link.expires_at if mail.link else None
        subject, body = mail_text(mail.template, mail.language, mail.fields, self._link(event), expires_at)
        try:
            await self._send(build_message(mail.id, self._sender, mail.address, subject, body, now, mail.language))
        except Refused as error:
            return "failed", error.detail
        except Unavailable as error:
            return None, error.detail
        return "sent", ""

    def _link(self, event: MailRequested) -> str:
        link = event.data.link
        if link is None or self._links is None:
            return ""
        text = self._links.issue(link.purpose, link.subject, link.binding, link.expires_at)
        # behind a number sign it is sent to no server, and stands in no server's log
        return f"{self._pages_url}/{PAGES[link.purpose]}#token={quote(text)}" if self._pages_url else text

    async def _request(self, timer: Timer) -> MailRequested | None:
        if (recent := self._recent.get(timer.id)) is not None:
            return recent
        offset = int(timer.id.partition("/")[0])
        async for record in self._requests.records(timer.partition, offset, offset + 1):
            try:
                return _decode(record.value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.warning("mail_request_undecodable", offset=offset, error=str(error))
        return None

    async def _end(self, event: MailRequested, outcome: MailOutcome, tries: int, detail: str) -> None:
        mail, now = event.data, self._clock.now()
        result = MailResult(
            id=mail.id,
            tenant=mail.tenant,
            account_id=mail.account_id,
            template=mail.template,
            outcome=outcome,
            tries=tries,
            detail=detail,
            ended_at=now,
        )
        await self._records.change(Outgoing(MAILS_ENDED, MailEnded.from_cause(event, NAME, data=result, now=now, subject=mail.id)))

    async def _forget(self, timer: Timer) -> None:
        await self._timers.set_many([TimerSetting(timer.partition, timer.id, None)])
        self._recent.pop(timer.id, None)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
