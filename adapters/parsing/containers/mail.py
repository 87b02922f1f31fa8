"""Mail: the headers, the text in any encoding, and the attachments."""

import re
from dataclasses import replace
from typing import get_args

from adapters.parsing.containers.mime import MimePart, join_flowed
from adapters.parsing.containers.nested import Contents, EntryParser
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Allowance, Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.markup.html import parse_html
from adapters.parsing.markup.markdown import parse_plain
from schemas.documents import FileType
from schemas.errors import Refused

MULTIPARTS_MAX = 20  # in each other; mixed > related > alternative is three
COMPARED_CHARS_MAX = 500_000_000  # characters compared when repeats are looked for: half a second; the rest of the page is taken whole

_SHOWN_HEADERS = ("From", "To", "Cc", "Date")
_TEXTS = ("text/plain", "text/html")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_FILE_TYPES: dict[str, FileType] = {kind: kind for kind in get_args(FileType)}
_NO_WORD = re.compile(r"[\W_]+")


def parse_eml(entry: Entry, parse_inner: EntryParser) -> ParsedText:
    """The subject as title, the header lines that mail programs show, the body, then each attachment under its name.

    A part that cannot be parsed becomes a note. Raises Refused: ``document_too_complex`` for more parts than an archive may have entries,
    and the refusal of the parts when none can be parsed.
    """
    message = MimePart.of(entry.data.lstrip())
    contents = Contents(Assembly(entry.bounds.chars_max), entry, entry.allowance or Allowance.of(entry.bounds), parse_inner)
    subject = message.header("Subject")
    contents.assembly.add_heading(1, subject)
    contents.assembly.add_paragraph("\n".join(f"{name}: {value}" for name in _SHOWN_HEADERS if (value := message.header(name))))
    _MessageReader(contents, entry).read(message, 0)
    return contents.build(subject)


class _MessageReader:
    """Reads the parts of one message in order."""

    def __init__(self, contents: Contents, entry: Entry) -> None:
        self._contents = contents
        self._entry = entry
        self._count = 0
        self._plain_text = ""  # of the part that the page being read is an alternative to

    def read(self, part: MimePart, level: int) -> None:
        """Read a part and the parts in it. Raises Refused when the whole document reached a limit."""
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
            # of alternatives, plain text and page are read; other kinds, such as AMP pages and calendars, repeat them
            if not choosing or inner.content_type in _TEXTS or not inner.content_type.startswith("text/"):
                self.read(inner, level + 1)
        if choosing:
            self._plain_text = ""
        if empty:  # its boundary does not occur: the whole part is text
            self._contents.assembly.include(parse_plain(self._decode(part)))

    def _parse_text(self, part: MimePart) -> ParsedText:
        if part.content_type == "text/html":
            page = parse_html(replace(self._entry, data=part.content(), charset=part.charset))
            return _without_repeats(page, self._plain_text) if self._plain_text else page
        text = self._decode(part)
        text = join_flowed(text, delete_space=part.deletes_space) if part.is_flowed else text
        self._plain_text = _NO_WORD.sub("", text)
        return parse_plain(text)

    def _decode(self, part: MimePart) -> str:
        return decode_entry(replace(self._entry, data=part.content(), charset=part.charset))


def _without_repeats(page: ParsedText, plain_text: str) -> ParsedText:
    """The blocks of a page that its plain-text alternative lacks: mostly none, but some senders put different content there."""
    budget = COMPARED_CHARS_MAX
    blocks = []
    for block in page.blocks:
        lines = page.text[block.start : block.end].split("\n")
        budget -= len(lines) * len(plain_text)
        if budget < 0 or any(_NO_WORD.sub("", line) not in plain_text for line in lines):
            blocks.append(block)
    return replace(page, blocks=tuple(blocks))
