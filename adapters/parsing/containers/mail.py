"""Mail: who wrote what to whom, the text in whatever encoding, and what is attached."""

import re
from dataclasses import replace
from typing import get_args

from adapters.parsing.containers.mime import Part
from adapters.parsing.containers.nested import Contents
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import Parsed
from adapters.parsing.core.source import Allowance, Entry
from adapters.parsing.core.text import decoded
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


def parse_eml(entry: Entry) -> Parsed:
    """Subject as title, the header lines that people read, the body, then every attachment under its name.

    A part that cannot be read is a note. Raises Refused: ``document_too_complex`` for more parts than an archive may have entries, and
    what the parts were refused with when nothing at all can be read.
    """
    message = Part.of(entry.data.lstrip())
    contents = Contents(Assembly(entry.bounds.chars_max), entry, entry.allowance or Allowance.of(entry.bounds))
    subject = message.header("Subject")
    contents.assembly.heading(1, subject)
    contents.assembly.paragraph("\n".join(f"{name}: {value}" for name in _SHOWN_HEADERS if (value := message.header(name))))
    _Walk(contents, entry).read(message, 0)
    return contents.build(subject)


class _Walk:
    """Through the parts of one message, in order."""

    def __init__(self, contents: Contents, entry: Entry) -> None:
        self._contents = contents
        self._entry = entry
        self._count = 0
        self._said = ""  # by the plain text that the page now read is an alternative to

    def read(self, part: Part, level: int) -> None:
        """Raises Refused when the whole document reached a limit."""
        self._count += 1
        self._contents.allowance.take_entry()
        if part.kind.startswith("multipart/"):
            self._multipart(part, level)
            return
        name = part.filename
        if part.kind in _TEXTS and not name and not part.attached:
            try:
                self._contents.assembly.include(self._text(part), below=1)
            except Refused as refusal:
                self._contents.leave_out(f"part {self._count}", refusal)
        elif part.kind not in _SIGNATURES:
            name = name or f"{'message' if part.kind == 'message/rfc822' else 'part'} {self._count}"
            self._contents.read(part.content(), name, media_type=_FILE_TYPES.get(part.kind, ""), charset=part.charset)

    def _multipart(self, part: Part, level: int) -> None:
        if level >= MULTIPARTS_MAX:
            detail = f"parts nest deeper than {MULTIPARTS_MAX} levels"
            self._contents.leave_out(f"part {self._count}", Refused("document_too_complex", detail))
            return
        choosing = part.kind == "multipart/alternative"
        empty = True
        for inner in part.parts():
            empty = False
            # of the ways to say the same, plain text and page are read; others, such as AMP pages and calendars, repeat them
            if not choosing or inner.kind in _TEXTS or not inner.kind.startswith("text/"):
                self.read(inner, level + 1)
        if choosing:
            self._said = ""
        if empty:  # its boundary does not occur: all of it is text
            self._contents.assembly.include(parse_plain(self._decoded(part)))

    def _text(self, part: Part) -> Parsed:
        if part.kind == "text/html":
            page = parse_html(replace(self._entry, data=part.content(), charset=part.charset))
            return _unsaid(page, self._said) if self._said else page
        text = self._decoded(part)
        self._said = _NO_WORD.sub("", text)
        return parse_plain(text)

    def _decoded(self, part: Part) -> str:
        return decoded(replace(self._entry, data=part.content(), charset=part.charset))


def _unsaid(page: Parsed, said: str) -> Parsed:
    """The blocks of a page that the plain text beside it does not have: mostly none, but senders put different things there."""
    budget = COMPARED_CHARS_MAX
    kept = []
    for block in page.blocks:
        lines = page.text[block.start : block.end].split("\n")
        budget -= len(lines) * len(said)
        if budget < 0 or any(_NO_WORD.sub("", line) not in said for line in lines):
            kept.append(block)
    return replace(page, blocks=tuple(kept))
