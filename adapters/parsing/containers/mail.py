"""Mail: who wrote what to whom, the text in whatever encoding, and what is attached."""

import re
from dataclasses import replace
from typing import get_args

from adapters.parsing.containers.mime import MimePart
from adapters.parsing.containers.nested import Contents
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Allowance, Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.markup.html import parse_html
from adapters.parsing.markup.markdown import parse_plain
from schemas.documents import FileType
from schemas.errors import Refused

MULTIPARTS_MAX = 20  # in each other; mixed > related > alternative is three
COMPARED_CHARS_MAX = 500_000_000  # of looking up what was said already: half a second; what is left is kept unseen

_SHOWN_HEADERS = ("From", "To", "Cc", "Date")
_TEXTS = ("text/plain", "text/html")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_FILE_TYPES: dict[str, FileType] = {kind: kind for kind in get_args(FileType)}
_NO_WORD = re.compile(r"[\W_]+")


def parse_eml(entry: Entry) -> ParsedText:
    """Subject as title, the header lines that people read, the body, then every attachment under its name.

    A part that cannot be read is a note. Raises Refused: ``document_too_complex`` for more parts than an archive may have entries, and
    what the parts were refused with when nothing at all can be read.
    """
    message = MimePart.of(entry.data.lstrip())
    contents = Contents(Assembly(entry.bounds.chars_max), entry, entry.allowance or Allowance.of(entry.bounds))
    subject = message.header("Subject")
    contents.assembly.add_heading(1, subject)
    contents.assembly.add_paragraph("\n".join(f"{name}: {value}" for name in _SHOWN_HEADERS if (value := message.header(name))))
    _MessageReader(contents, entry).read(message, 0)
    return contents.build(subject)


class _MessageReader:
    """Through the parts of one message, in order."""

    def __init__(self, contents: Contents, entry: Entry) -> None:
        self._contents = contents
        self._entry = entry
        self._count = 0
        self._said = ""  # by the plain text that the page now read is an alternative to

    def read(self, part: MimePart, level: int) -> None:
        """Raises Refused when the whole document reached a limit."""
        self._count += 1
        self._contents.allowance.take_entry()
        if part.content_type.startswith("multipart/"):
            self._read_multipart(part, level)
            return
        name = part.filename
        if part.content_type in _TEXTS and not name and not part.is_attachment:
            try:
                self._contents.assembly.include(self._parse_text(part), below=1)
            except Refused as refusal:
                self._contents.leave_out(f"part {self._count}", refusal)
        elif part.content_type not in _SIGNATURES:
            name = name or f"{'message' if part.content_type == 'message/rfc822' else 'part'} {self._count}"
            self._contents.read(part.content(), name, media_type=_FILE_TYPES.get(part.content_type, ""), charset=part.charset)

    def _read_multipart(self, part: MimePart, level: int) -> None:
        if level >= MULTIPARTS_MAX:
            detail = f"parts nest deeper than {MULTIPARTS_MAX} levels"
            self._contents.leave_out(f"part {self._count}", Refused("document_too_complex", detail))
            return
        choosing = part.content_type == "multipart/alternative"
        empty = True
        for inner in part.parts():
            empty = False
            # of the ways to say the same, plain text and page are read; others, such as AMP pages and calendars, repeat them
            if not choosing or inner.content_type in _TEXTS or not inner.content_type.startswith("text/"):
                self.read(inner, level + 1)
        if choosing:
            self._said = ""
        if empty:  # its boundary does not occur: all of it is text
            self._contents.assembly.include(parse_plain(self._decode(part)))

    def _parse_text(self, part: MimePart) -> ParsedText:
        if part.content_type == "text/html":
            page = parse_html(replace(self._entry, data=part.content(), charset=part.charset))
            return _without_repeats(page, self._said) if self._said else page
        text = self._decode(part)
        self._said = _NO_WORD.sub("", text)
        return parse_plain(text)

    def _decode(self, part: MimePart) -> str:
        return decode_entry(replace(self._entry, data=part.content(), charset=part.charset))


def _without_repeats(page: ParsedText, said: str) -> ParsedText:
    """The blocks of a page that the plain text beside it does not have: mostly none, but senders put different things there."""
    budget = COMPARED_CHARS_MAX
    kept = []
    for block in page.blocks:
        lines = page.text[block.start : block.end].split("\n")
        budget -= len(lines) * len(said)
        if budget < 0 or any(_NO_WORD.sub("", line) not in said for line in lines):
            kept.append(block)
    return replace(page, blocks=tuple(kept))
