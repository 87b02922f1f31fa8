"""mails.requested -> send_mail -> the SMTP server -> mails.ended

The agent sets a timer for each mail, which takes a round trip to Redis; the mailer beside it sends what is due. So no event waits for the
mail server, and what it does not take is tried again for a day.
"""

from collections.abc import Sequence

import structlog

from adapters.mail.client import SmtpClient, SmtpServer
from adapters.mail.messages import MailSender
from adapters.secrets.links import Links
from domain import composition
from domain.notices.mailer import NAME, Mailer
from domain.notices.settings import MailSettings
from domain.notices.topics import MAILS_REQUESTED
from schemas.errors import ConfigurationError
from schemas.notices import MailRequested
from streams.log.outgoing import Outgoing
from streams.log.range_reader import RangeReader
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

log = structlog.get_logger(__name__)

WORKER_GROUP = "chat"  # not with the documents: who signs links shares no process with what reads foreign files


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the mailer and its SMTP client. Raises ConfigurationError."""
    settings, tables = ports.settings.of(MailSettings), ports.get(composition.read_models)
    server = server_of(settings)
    if server is None:
        log.info("mail_not_configured", effect="no mail is sent", setting="CLAW_MAIL_HOST")
    client = None if server is None else ports.attach(SmtpClient(server, settings.concurrency))
    mailer = Mailer(
        ports.redis,
        ports.prefix,
        tables,
        ports.get(composition.record_writer),
        RangeReader(ports.settings.kafka, MAILS_REQUESTED),
        Links(ports.settings.auth) if ports.settings.auth.secret else None,
        client.send if client else None,
        MailSender(settings.sender_name, settings.sender),
        ports.clock,
        concurrency=settings.concurrency,
        pages_url=(settings.pages_url or ports.settings.node.public_url).rstrip("/"),
        registry=ports.registry,
    )
    ports.attach(mailer.loop)
    return (agent(mailer),)


def server_of(settings: MailSettings) -> SmtpServer | None:
    """The SMTP server of the settings, None where none is set. Raises ConfigurationError."""
    if not settings.host:
        return None
    if not settings.sender:
        raise ConfigurationError("CLAW_MAIL_SENDER: set the address that mails come from, such as claw@example.org")
    if settings.user and settings.security == "none":
        raise ConfigurationError("CLAW_MAIL_SECURITY: with a user and password it must be starttls or tls")
    return SmtpServer(
        host=settings.host,
        port=settings.port,
        security=settings.security,
        user=settings.user,
        password=settings.password,
        timeout_s=settings.timeout_s,
    )


def agent(mailer: Mailer) -> Agent:
    """Sets the timers."""

    async def step(event: MailRequested, context: Context) -> Sequence[Outgoing]:
        await mailer.add(event, context.place)
        return []

    return Agent(name=NAME, reads=(MAILS_REQUESTED,), step=step, assigned=mailer.loop.take_assignment)
