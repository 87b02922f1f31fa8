"""The result of parsing: one text and the blocks in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.text.invisible import REGION_FLAG
from schemas.documents import Locator, Note

Kind = Literal["heading", "paragraph", "list", "table", "code", "quote"]

HEADING_CHARS_MAX = 200  # of a heading as part of a path; the text keeps all of it

_UNWANTED = re.compile(
    f"({REGION_FLAG})|"  # stays: its hidden letters are drawn
    "[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff"  # control characters and what is no character
    "\u00ad"  # where a word may be broken: no part of it
    "\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"  # nothing to see: zero-width spaces and joiners of words, byte order marks
    "\u200e\u200f\u202a-\u202e\u2066-\u206f\U000e0000-\U000e007f]"  # directions, which show a text as another one; hidden letters
)
_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029\x85]")
_WORD = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Block:
    """``text[start:end]`` of the parsed text.

    ``headings`` is the path it stands under, outermost first; a heading's ends with itself. ``level`` is 1..6 of a heading, else 0.
    ``place`` is where in the file it stands, when the file has pages, slides or cells.
    """

    kind: Kind
    start: int
    end: int
    level: int = 0
    headings: tuple[str, ...] = ()
    place: Locator | None = None
    header_lines: int = 1  # of a table: its first lines that name the columns; 0 of a form


@dataclass(frozen=True, slots=True)
class ParsedText:
    """``blocks`` are in order, do not overlap, and between them there is only white space. ``title`` is empty when the text names none.

    ``notes`` say what was left out.
    """

    title: str
    text: str
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...] = ()
    media_type: str = ""  # as it was found to be


class HeadingPath:
    """The headings above the present place."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, text: str) -> tuple[str, ...]:
        """Open a section, which closes those of its level and below."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, " ".join(text.split())[:HEADING_CHARS_MAX]))
        return self.path

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._open if text)


def clean(text: str) -> str:
    """Line feeds as line ends, without control characters, lone surrogates, and what is invisible.

    Zero-width spaces inside a number keep it from being found, direction overrides show readers something else than what is written, and
    tag characters say things only a model reads. Joiners of letters (U+200C, U+200D) stay: scripts and emoji are written with them.
    """
    return _LINE_END.sub("\n", _UNWANTED.sub(r"\1", text)) if not (text.isascii() and text.isprintable()) else text


def has_words(text: str) -> bool:
    """Whether the text contains a letter or digit."""
    return _WORD.search(text) is not None


def first_heading(blocks: Sequence[Block]) -> str:
    """The title of a text without one of its own: the heading it begins with."""
    return blocks[0].headings[-1] if blocks and blocks[0].kind == "heading" and blocks[0].headings else ""
