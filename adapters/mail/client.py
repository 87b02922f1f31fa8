"""The SMTP server that takes our mail, spoken to by the standard library in threads of its own.

The server is the operator's and mails are few: a thread for each of a handful at once costs less than a dependency. Every silence of the
server is bounded by the time limit.
"""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from functools import partial
from typing import Literal

from msgspec import Struct

from schemas.errors import Refused, Unavailable
from schemas.settings.section import Secret

PERMANENT = 500  # replies from here on are final
DETAIL_CHARS_MAX = 300


class SmtpServer(Struct, frozen=True, kw_only=True):
    """How the server is reached. ``security``: ``starttls``, ``tls`` from the first byte, or ``none``."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str = ""
    password: Secret = Secret()
    timeout_s: float = 20.0


class SmtpClient:
    """``concurrency`` mails at once. ``context``: for the certificate of the server, by default that of the system."""

    def __init__(self, server: SmtpServer, concurrency: int, context: ssl.SSLContext | None = None) -> None:
        self._server, self._context = server, context
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="mail")

    async def start(self) -> None:
        """Connects to nothing."""

    async def stop(self) -> None:
        """Mails under way go on in their threads until the server answers or its time is over; nothing waits for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, message: EmailMessage) -> None:
        """Returns once the server has taken the mail. Raises Refused("mail_refused") when it never will, Unavailable("mail_unavailable")
        when another attempt may succeed; both name its reply.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._send, message))

    def _send(self, message: EmailMessage) -> None:
        try:
            with self._connect() as smtp:
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise _failure(code, reply) from None
        except smtplib.SMTPAuthenticationError as error:  # the operator's to mend: the mail itself is fine
            raise Unavailable(
                "mail_unavailable", f"the mail server refused the login: {_text(error.smtp_code, error.smtp_error)}"
            ) from None
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Unavailable("mail_unavailable", f"the mail server cannot do this: {error}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable("mail_unavailable", f"the mail server cannot be reached: {type(error).__name__}") from None

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = self._context or ssl.create_default_context()
        smtp: smtplib.SMTP
        if server.security == "tls":
            smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        try:
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password.reveal())
        except BaseException:
            smtp.close()
            raise
        return smtp


def _failure(code: int, reply: bytes | str) -> Refused | Unavailable:
    text = _text(code, reply)
    return Refused("mail_refused", text) if code >= PERMANENT else Unavailable("mail_unavailable", text)


def _text(code: int, reply: bytes | str) -> str:
    said = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return f"{code} {' '.join(said.split())}"[:DETAIL_CHARS_MAX]
