"""A mail as a message of the standard library: plain text, one recipient, no way into its headers."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from msgspec import Struct

from schemas.errors import Refused
from schemas.notices import Language

SUBJECT_CHARS_MAX = 150
ADDRESS_CHARS_MAX = 254

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # of a body: everything but tab and line feed
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f<>(),;:\\\"\[\]]{1,64}@[^@\s\x00-\x1f\x7f<>(),;:\\\"\[\]]+")


class MailSender(Struct, frozen=True):
    """Whom mails are from."""

    name: str
    address: str


def build_message(
    mail_id: str, sender: MailSender, address: str, subject: str, body: str, at: datetime, language: Language
) -> EmailMessage:
    """The mail. Its Message-ID follows from ``mail_id``, so that a server or a reader can recognise one that is sent twice.

    Raises Refused("mail_refused") for an address that cannot stand in a header.
    """
    if len(address) > ADDRESS_CHARS_MAX or _ADDRESS.fullmatch(address) is None:
        raise Refused("mail_refused", "the address is not one that mail can be sent to")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(_CONTROL.sub(" ", sender.name), addr_spec=sender.address)
    message["To"] = _address(address)
    message["Subject"] = " ".join(_CONTROL.sub(" ", subject).split())[:SUBJECT_CHARS_MAX]
    message["Date"] = at
    message["Message-ID"] = f"<{mail_id}@{sender.address.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(_UNWANTED.sub(" ", body.replace("\r\n", "\n")), cte="base64" if not body.isascii() else "quoted-printable")
    message["Content-Language"] = language  # after the content, which replaces all headers that begin so
    return message


def _address(address: str) -> Address:
    try:
        return Address(addr_spec=address)
    except (ValueError, IndexError) as error:
        raise Refused("mail_refused", "the address is not one that mail can be sent to") from error
