"""Links that are sent by mail: signed text that names a purpose, a subject and what the link is bound to, until it expires.

Nothing is stored, and no link stands on the log: the sender of a mail makes it from subject, binding and expiry. A link is used once
when its binding ends with its use, such as the id and revision of the password that it replaces.
"""

import base64
import binascii
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from adapters.secrets.signing import SigningSecrets, url_text
from schemas.errors import Refused
from schemas.notices import LinkPurpose
from schemas.settings import AuthSettings

LINK_CHARS_MAX = 2_048


class LinkClaims(Struct, frozen=True):
    """``binding`` is compared with the present state by the reader."""

    subject: str
    binding: str


class _Body(Struct, frozen=True, array_like=True):
    subject: str
    binding: str
    expires_s: int  # since 1970


class Links:
    """Makes and reads links. Raises ConfigurationError like ``SigningSecrets``."""

    def __init__(self, auth: AuthSettings) -> None:
        self._secrets = SigningSecrets(auth)

    def issue(self, purpose: LinkPurpose, subject: str, binding: str, expires_at: datetime) -> str:
        """The text of a link, without the address of the page; the same arguments make the same text. Times count in whole seconds."""
        body = url_text(msgspec.json.encode(_Body(subject, binding, int(expires_at.astimezone(UTC).timestamp()))))
        text = f"{body}.{self._secrets.sign(_key_of(purpose), body)}"
        if len(text) > LINK_CHARS_MAX:
            raise ValueError(f"a link has at most {LINK_CHARS_MAX} characters; subject and binding make {len(text)}")
        return text

    def read(self, text: str, purpose: LinkPurpose, now: datetime) -> LinkClaims:
        """What the link is about; Refused("link_invalid") alike for one that is forged, of another purpose, or expired."""
        body, _, signature = text.partition(".")
        if len(text) > LINK_CHARS_MAX or not self._secrets.is_signature(_key_of(purpose), body, signature, now):
            raise Refused("link_invalid")
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=_Body)
        except (binascii.Error, msgspec.MsgspecError, ValueError):  # signed by another release
            raise Refused("link_invalid") from None
        if claims.expires_s <= now.timestamp():
            raise Refused("link_invalid")
        return LinkClaims(claims.subject, claims.binding)


def _key_of(purpose: LinkPurpose) -> str:
    return f"link {purpose}"
