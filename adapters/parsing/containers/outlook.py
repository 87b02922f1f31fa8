"""Outlook messages (MSG): header lines, body and attachments as those of mail. ``oxmsg`` reads the container.

Its message objects fail when a code page is not what the message says, so texts are decoded here, as those of mail are.

A message attached to a message is a storage inside the file and no file of its own: it is read in place, one level deeper.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO

import olefile  # type: ignore[import-untyped]
from compressed_rtf import decompress
from compressed_rtf.crc32 import crc32
from oxmsg.storage import Storage

from adapters.parsing.containers.nested import Contents, EntryParser, check_depth, display_name
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.encodings import decode
from adapters.parsing.core.source import Allowance, Entry
from adapters.parsing.core.text import check_and_clean
from adapters.parsing.elements.converted import parse_rtf
from adapters.parsing.markup.html import parse_html
from adapters.parsing.markup.markdown import parse_plain
from schemas.errors import Refused

HEADER_BYTES, EMBEDDED_HEADER_BYTES, ATTACHMENT_HEADER_BYTES = 32, 24, 8  # before the properties, as [MS-OXMSG] 2.4 has it
EMBEDDED_METHOD = 5  # of attaching: a message inside the file
_STRING, _STRING8, _BINARY = 0x001F, 0x001E, 0x0102  # types of properties
_SUBJECT, _BODY, _HTML, _SENT, _DELIVERED = 0x0037, 0x1000, 0x1013, 0x0039, 0x0E06
_SENDER_NAME, _SENDER_ADDRESSES, _TO, _CC = 0x0C1A, (0x5D01, 0x0C1F), 0x0E04, 0x0E03
_RTF = 0x1009
_DATA, _METHOD, _NAMES, _CODEPAGES = 0x3701, 0x3705, (0x3707, 0x3704, 0x3001), (0x3FDE, 0x3FFD)
_PROPERTY = struct.Struct("<HHLQ")  # type, id, flags, value
_RICH_HEADER = struct.Struct("<LL4sL")  # bytes that follow the first number, unpacked bytes, kind, checksum
_RICH_COUNTED_BYTES = 12  # of the header
_COMPRESSED, _STORED = b"LZFu", b"MELA"
_EPOCH, _TICKS_PER_S = datetime(1601, 1, 1, tzinfo=UTC), 10_000_000
_EMBEDDED = f"__substg1.0_{_DATA:04X}000D"
_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error, StopIteration, RecursionError)


def parse_msg(entry: Entry, parse_inner: EntryParser) -> ParsedText:
    """The subject as title, sender, recipients and date, the body, then each attachment under its name.

    Raises Refused: ``document_unreadable`` for a broken container, ``document_too_complex`` for more attachments than an archive may have
    entries, and the refusal of the attachments when there is no other text.
    """
    try:
        with olefile.OleFileIO(BytesIO(entry.data)) as container:
            storage = Storage.from_ole(container)
    except _ERRORS as error:
        raise Refused("document_unreadable", f"the container of the message is broken: {error}") from error
    return _read_message(_PropertySet(storage, HEADER_BYTES), entry, entry.allowance or Allowance.of(entry.bounds), parse_inner)


def _read_message(message: "_PropertySet", entry: Entry, allowance: Allowance, parse_inner: EntryParser) -> ParsedText:
    contents = Contents(Assembly(entry.bounds.chars_max), entry, allowance, parse_inner)
    subject = message.text(_SUBJECT)
    contents.assembly.add_heading(1, subject)
    contents.assembly.add_paragraph("\n".join(f"{name}: {value}" for name, value in _headers(message).items() if value))
    try:
        contents.assembly.include(_read_body(message, entry), below=1)
    except Refused as refusal:
        contents.leave_out("body", refusal)
    for number, storage in enumerate(message.attachments(), 1):
        allowance.take_entry()
        _read_attachment(_PropertySet(storage, ATTACHMENT_HEADER_BYTES), number, contents)
    return contents.build(subject)


def _headers(message: "_PropertySet") -> dict[str, str]:
    """The lines that mail programs show."""
    address = next(filter(None, map(message.text, _SENDER_ADDRESSES)), "")
    name = message.text(_SENDER_NAME)
    sent = message.time(_SENT) or message.time(_DELIVERED)
    return {
        "From": f"{name} <{address}>" if name and "@" in address and name != address else name or address,
        "To": message.text(_TO),
        "Cc": message.text(_CC),
        "Date": sent,
    }


def _read_body(message: "_PropertySet", entry: Entry) -> ParsedText:
    """The page of a message when it says something, else its plain text."""
    page = message.content(_HTML, _BINARY)
    if page:
        parsed = parse_html(replace(entry, data=page, charset=message.charset))
        if has_words(parsed.text):
            return parsed
    text = message.text(_BODY)
    if not has_words(text) and (packed := message.content(_RTF, _BINARY)):
        return parse_rtf(replace(entry, data=unpack_rich_text(packed)))
    return parse_plain(check_and_clean(text, entry.bounds))


def unpack_rich_text(packed: bytes) -> bytes:
    """Compressed RTF ([MS-OXRTFCP]), whose checksum is not a reason to lose it. Raises Refused("document_unreadable").

    A page is in it as RTF, too: what is only HTML is in groups that readers of RTF pass over.
    """
    head = packed[: _RICH_HEADER.size]
    if len(head) < _RICH_HEADER.size or head[8:12] not in (_COMPRESSED, _STORED):
        raise Refused("document_unreadable", "the rich text of the message is packed in an unknown way")
    size, raw_size, kind, _ = _RICH_HEADER.unpack(head)
    content = packed[_RICH_HEADER.size :][: max(0, size - _RICH_COUNTED_BYTES)]
    checksum = crc32(content) if kind == _COMPRESSED else 0
    try:
        return bytes(decompress(_RICH_HEADER.pack(len(content) + _RICH_COUNTED_BYTES, raw_size, kind, checksum) + content))
    except _ERRORS as error:
        raise Refused("document_unreadable", f"the rich text of the message is damaged: {error}") from error


def _read_attachment(attachment: "_PropertySet", number: int, contents: Contents) -> None:
    name = next(filter(None, map(attachment.text, _NAMES)), f"attachment {number}")
    if attachment.number(_METHOD) != EMBEDDED_METHOD:
        contents.read(attachment.content(_DATA, _BINARY), name)
        return
    try:
        check_depth(contents.entry)
        inner = replace(contents.entry, depth=contents.entry.depth + 1)
        message = _PropertySet(attachment.storage(_EMBEDDED), EMBEDDED_HEADER_BYTES)
        parsed = _read_message(message, inner, contents.allowance, contents.parse_inner)
    except Refused as refusal:
        contents.leave_out(name, refusal)
    else:
        contents.assembly.absorb(parsed, display_name(name))


class _PropertySet:
    """The properties of a message or of an attachment, by id: each is a stream of its own, or a number in the list of them."""

    def __init__(self, storage: Storage, header_bytes: int) -> None:
        self._storage, self._header_bytes = storage, header_bytes

    def attachments(self) -> Iterator[Storage]:
        """The storage of each attachment."""
        yield from self._storage.iter_attachment_storages()

    def storage(self, name: str) -> Storage:
        """A storage inside. Raises Refused when there is none."""
        for one in self._storage.storages:
            if one.name == name:
                return one
        raise Refused("document_unreadable", "the message inside is missing")

    def content(self, identity: int, kind: int) -> bytes:
        """The bytes of a property; empty when there is none."""
        try:
            return bytes(self._storage.property_stream_bytes(identity, kind))
        except KeyError:
            return b""

    def text(self, identity: int) -> str:
        """A text on any number of lines; empty when there is none."""
        if wide := self.content(identity, _STRING):
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        narrow = self.content(identity, _STRING8)
        return decode(narrow, self.charset).rstrip("\0") if narrow else ""

    def number(self, identity: int) -> int:
        """A number; 0 when there is none."""
        return self._numbers.get(identity, 0) & 0xFFFF_FFFF

    def time(self, identity: int) -> str:
        """A time in UTC; empty when there is none, or none that is possible."""
        ticks = self._numbers.get(identity, 0)
        try:
            return f"{_EPOCH + timedelta(seconds=ticks // _TICKS_PER_S):%Y-%m-%d %H:%M} UTC" if ticks else ""
        except OverflowError:
            return ""

    @property
    def charset(self) -> str:
        """The declared code page; empty when there is none."""
        number = next(filter(None, map(self.number, _CODEPAGES)), 0)
        return f"cp{number}" if number else ""

    @cached_property
    def _numbers(self) -> dict[int, int]:
        try:
            listed = self._storage.properties_stream_bytes[self._header_bytes :]
        except KeyError:
            return {}
        whole = len(listed) - len(listed) % _PROPERTY.size
        return {identity: value for _, identity, _, value in _PROPERTY.iter_unpack(listed[:whole])}
