"""Mail through a real SMTP server: what it takes, what it refuses for now or for good, and what is never sent to it."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.mail.client import SmtpClient, SmtpServer
from adapters.mail.messages import MailSender, build_message
from schemas.errors import Refused, Unavailable
from schemas.settings.section import Secret

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Inbox:
    """What arrived, and what the server says to a recipient."""

    def __init__(self, reply: str = "250 OK") -> None:
        self.reply, self.mails, self.logins = reply, list[Envelope](), list[bytes]()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if self.reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.mails.append(envelope)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Envelope, mechanism: str, login: Any) -> AuthResult:
        self.logins.append(login.password)
        return AuthResult(success=login.password == b"right", handled=False)


@contextmanager
def served(inbox: Inbox, **options: Any) -> Iterator[int]:
    controller = Controller(inbox, hostname="127.0.0.1", port=0, **options)
    controller.port = _free_port()
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def send(port: int, *, context: ssl.SSLContext | None = None, **server: Any) -> None:
    client = SmtpClient(SmtpServer(**dict[str, Any](host="127.0.0.1", port=port, security="none", timeout_s=1.0) | server), 2, context)
    message = build_message("m1", MailSender("Claw", "claw@example.org"), "li@example.com", "密码重置", "请点击链接。\n", NOW, "zh")
    try:
        await client.send(message)
    finally:
        await client.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate of its own, and of a client that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_a_mail_arrives_as_it_was_written():
    inbox = Inbox()
    with served(inbox) as port:
        await send(port)
    (mail,) = inbox.mails
    assert (mail.mail_from, mail.rcpt_tos) == ("claw@example.org", ["li@example.com"])
    assert b"Message-ID: <m1@example.org>" in cast("bytes", mail.content)


@pytest.mark.parametrize(("reply", "error"), [("451 later", Unavailable), ("550 nobody here", Refused)])
async def test_the_servers_reply_says_whether_it_is_worth_another_try(reply, error):
    with served(Inbox(reply)) as port, pytest.raises(error) as caught:
        await send(port)
    assert caught.value.detail == reply


async def test_no_server_and_a_silent_one_are_tried_again():
    with pytest.raises(Unavailable, match="cannot be reached"):
        await send(_free_port())
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unavailable, match="cannot be reached"):
        await send(silent.getsockname()[1], timeout_s=0.2)


async def test_a_password_is_only_sent_encrypted_to_a_server_with_a_valid_certificate(certificate):
    server, trusting = certificate
    login: dict[str, Any] = {"user": "claw", "password": Secret("right"), "security": "starttls", "host": "localhost"}
    inbox = Inbox()
    options: dict[str, Any] = {"tls_context": server, "authenticator": inbox.authenticate, "auth_required": True}
    with served(inbox, **options) as port:
        await send(port, context=trusting, **login)
        with pytest.raises(Unavailable, match="refused the login: 535"):
            await send(port, context=trusting, **login | {"password": Secret("wrong")})
        with pytest.raises(Unavailable):
            await send(port, **login | {"password": Secret("to whom?")})
    assert (len(inbox.mails), set(inbox.logins)) == (1, {b"right", b"wrong"})
    plain = Inbox()
    with served(plain) as port, pytest.raises(Unavailable, match="cannot do this"):
        await send(port, **login)
    assert plain.logins == []
