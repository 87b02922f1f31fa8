"""The envelope of a mail part: its headers, decoded, and its content as bytes.

Only the syntax of headers is left to the standard library. Words in other encodings are decoded here, because their labels lie as often as
any other, and multiparts are cut here, so that a message of a million parts or of a thousand levels costs no more than its size.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from typing import TypeVar

from adapters.parsing.core.encodings import decode

HEADER_BYTES_MAX = 1_048_576  # what comes later is no header

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
_LINE_END = re.compile(rb"\r?\n|\r")
_SIGNATURE = "-- "
_FOLD = re.compile(r"(?<!\s)\s*[\r\n]\s*+")  # begins where the blanks begin: else a run of them is looked at from each of them
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_BASE64_GROUP = 4
_ERRORS = (ValueError, LookupError, TypeError, AttributeError)  # of the standard library on odd parameters
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MimePart:
    """A message or a part of one. ``body`` as it was sent, encoded for transport."""

    headers: Message
    body: bytes

    @classmethod
    def of(cls, data: bytes) -> "MimePart":
        """Headers up to the first empty line, in whatever encoding they are; everything else is the body."""
        if first := _LINE_END.match(data):
            return cls(Message(), data[first.end() :])
        match = _BLANK_LINE.search(data, 0, HEADER_BYTES_MAX)
        header, body = (data[: match.start()], data[match.end() :]) if match else (data[:HEADER_BYTES_MAX], data[HEADER_BYTES_MAX:])
        return cls(HeaderParser().parsestr(decode(header), headersonly=True), body)

    @property
    def content_type(self) -> str:
        """``text/plain`` and such, lower case."""
        return _value_or(self.headers.get_content_type, "text/plain")

    @property
    def charset(self) -> str:
        """The declared charset; empty when there is none."""
        return _value_or(lambda: self.headers.get_content_charset("") or "", "")

    @property
    def is_attachment(self) -> bool:
        """Whether the part is declared an attachment."""
        return _value_or(self.headers.get_content_disposition, None) == "attachment"

    @property
    def filename(self) -> str:
        """The file name given by the sender; empty when there is none."""
        for parameter, header in (("filename", "content-disposition"), ("name", "content-type")):
            value = _value_or(lambda parameter=parameter, header=header: self.headers.get_param(parameter, header=header), None)  # type: ignore[misc]
            if isinstance(value, tuple):  # charset, language, and bytes as the standard library hides them in text
                value = decode(value[2].encode("latin-1", "replace"), value[0] or "")
            if value:
                return decode_header(str(value))
        return ""

    @property
    def is_flowed(self) -> bool:
        """Whether a line that ends in a space goes on in the next one (RFC 3676)."""
        return str(_value_or(lambda: self.headers.get_param("format"), None)).lower() == "flowed"

    @property
    def deletes_space(self) -> bool:
        """Whether that space is not part of the text, as in languages without spaces."""
        return str(_value_or(lambda: self.headers.get_param("delsp"), None)).lower() == "yes"

    def header(self, name: str) -> str:
        """A header's text on one line; empty when there is none."""
        return decode_header(str(self.headers.get(name, "")))

    def content(self) -> bytes:
        """The body without its transport encoding, as far as that is whole."""
        encoding = str(self.headers.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding == "base64":
            return _from_base64(self.body)
        return binascii.a2b_qp(self.body) if encoding == "quoted-printable" else self.body

    def parts(self) -> Iterator["MimePart"]:
        """Of a multipart, in order; nothing when its boundary does not occur. One that was cut off ends where the message ends."""
        boundary = _value_or(lambda: self.headers.get_boundary("") or "", "")
        if not boundary:
            return
        delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
        at = delimiter.search(self.body)
        while at is not None and not at[1]:
            # from the line end on: it also begins the next delimiter when a part is empty
            following = delimiter.search(self.body, max(at.start() + 1, at.end() - 2))
            part = MimePart.of(self.body[at.end() : max(at.end(), following.start()) if following else len(self.body)])
            if self.content_type == "multipart/digest":
                part.headers.set_default_type("message/rfc822")
            yield part
            at = following


def join_flowed(text: str, *, delete_space: bool) -> str:
    """The lines of flowed text (RFC 3676) as the paragraphs that they are.

    Quotes of one depth belong together, the mark of a signature to nothing.
    """
    joined: list[str] = []
    depth, goes_on = 0, False
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        words = line.lstrip(">")
        quoted = len(line) - len(words)
        words = words.removeprefix(" ")  # that keeps a line from being taken for a quote
        flows = words.endswith(" ") and words != _SIGNATURE
        said = words[:-1] if flows and delete_space else words
        if goes_on and quoted == depth and words != _SIGNATURE:
            joined[-1] += said
        else:
            joined.append(">" * quoted + " " * bool(quoted) + said)
        depth, goes_on = quoted, flows
    return "\n".join(joined)


def decode_header(value: str) -> str:
    """A header's value with its encoded words decoded; neighbours of one charset together, for some mailers tear characters apart."""
    value = _FOLD.sub(" ", value).strip()
    pieces: list[str] = []
    charset, pending, end = "", b"", 0
    for word in _ENCODED_WORD.finditer(value):
        between, said = value[end : word.start()], word[1].partition("*")[0].lower()
        if pending and (between.strip() or said != charset):
            pieces.append(decode(pending, charset))
            pending = b""
        if between.strip() or not end:
            pieces.append(between)
        raw = word[3].encode("utf-8", "replace")
        pending += _from_base64(raw) if word[2] in "bB" else binascii.a2b_qp(raw, header=True)
        charset, end = said, word.end()
    return "".join((*pieces, decode(pending, charset), value[end:]))


def _from_base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        letters = _NOT_BASE64.sub(b"", data)
        whole = len(letters) - (len(letters) % _BASE64_GROUP == 1)  # one letter of a group is no byte
        return binascii.a2b_base64(letters[:whole] + b"=" * (-whole % _BASE64_GROUP))


def _value_or(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except _ERRORS:
        return otherwise
