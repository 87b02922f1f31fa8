"""Plain text and Markdown: lines collected into blocks that are spans of the text.

The text is the source, except that Markdown's soft line breaks are joined, and a backslash or ``<br>`` that breaks a line is a line break
and nothing else: a sentence wrapped at column 80 is one sentence, and a quote of it one line. Plain text keeps its lines, which may mean
something (verses, logs, addresses). Front matter is metadata in both: the title comes from it, and it is no part of the text.
"""

import re
from dataclasses import dataclass, field, replace

from adapters.parsing.core.blocks import HEADING_CHARS_MAX, Block, HeadingPath, Kind, ParsedText, first_heading, has_words
from adapters.parsing.markup.front_matter import read_front_matter
from adapters.parsing.markup.soft_breaks import kept_breaks

LINE_CHARS_MAX = 2_000  # a longer line is prose whatever it begins with; keeps every pattern's work bounded

_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LIST = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_QUOTE = re.compile(r" {0,3}>")
_DELIMITERS = re.compile(r"[ \t]*+(?:\|[ \t]*+)?+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$")
_INDENTED = re.compile(r" {4,}|\t")
_CONTINUED = re.compile(r"(?: {2,}+|\t)\s*+\S")
_MARKUP = re.compile(r"[*`_]{1,3}(?=\S)|(?<=\S)[*`_]{1,3}")
_WIDE = "\u2e80"  # from here on: Chinese and other scripts that put no space between words
_BREAK = re.compile(r"(?P<code>`[^`\n]{0,200}`)|[ \t]{0,8}<[bB][rR][ \t]{0,8}/?>[ \t]{0,8}")
HARD_BREAK = "  \n"  # as those that write no mark have it
_LINK = re.compile(r"!?\[([^\]]{0,200})\]\([^)]{0,200}\)")


@dataclass(slots=True)
class _BlockReader:
    """Collects lines into blocks."""

    text: str
    blocks: list[Block] = field(default_factory=list)
    path: HeadingPath = field(default_factory=HeadingPath)
    kind: Kind | None = None
    start: int = 0
    end: int = 0

    def extend(self, kind: Kind, start: int, end: int) -> None:
        """Add the line to the open block when that is of the same kind, else open a new one."""
        if self.kind != kind:
            self.close()
            self.kind, self.start = kind, start
        self.end = end

    def close(self) -> None:
        if self.kind is not None:
            self.blocks.append(Block(self.kind, self.start, self.end, 0, self.path.path))
            self.kind = None

    def add_heading(self, level: int, words: str, start: int, end: int) -> None:
        self.close()
        shown = _MARKUP.sub("", _LINK.sub(r"\1", words[: 2 * HEADING_CHARS_MAX])).strip()
        self.blocks.append(Block("heading", start, end, level, self.path.enter(level, shown)))


def parse_plain(text: str) -> ParsedText:
    """Paragraphs between blank lines; ``text`` must be clean."""
    named, text = _take_front_matter(text)
    reader = _BlockReader(text)
    for start, end in _line_spans(text):
        if text[start:end].strip():
            reader.extend("paragraph", start, end)
        else:
            reader.close()
    reader.close()
    return ParsedText(named, text, tuple(reader.blocks))


def parse_markdown(text: str) -> ParsedText:
    """Headings of both styles, fenced code, tables, lists, quotes, paragraphs; ``text`` must be clean."""
    named, text = _take_front_matter(text)
    reader = _BlockReader(text)
    fence = ""
    lines = _line_spans(text)
    for index, (start, end) in enumerate(lines):
        line = text[start:end]
        if fence:
            reader.extend("code", start, end)
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
                reader.close()
        elif not line.strip():
            if reader.kind != "list" or not _continues_list(text, lines, index):
                reader.close()
        elif end - start > LINE_CHARS_MAX:
            reader.extend("paragraph", start, end)
        elif opening := _FENCE.match(line):
            reader.close()
            fence = opening[1]
            reader.extend("code", start, end)
        elif heading := _HEADING.match(line):
            reader.add_heading(len(heading[1]), _heading_words(line[heading.end() :]), start, end)
        elif reader.kind == "paragraph" and (underline := _UNDERLINE.match(line)):
            _promote_to_heading(reader, 1 if underline[1][0] == "=" else 2, end)
        else:
            reader.extend(_line_kind(reader.kind, line, text, lines, index), start, end)
    reader.close()
    return _join_soft_breaks(ParsedText(named or first_heading(reader.blocks), text, tuple(reader.blocks)))


def _take_front_matter(text: str) -> tuple[str, str]:
    """The title that the metadata names, and the text without them."""
    found = read_front_matter(text)
    return found.title, text[found.end :].lstrip("\n") if found.end else text


def _join_soft_breaks(parsed: ParsedText) -> ParsedText:
    """Soft line breaks of paragraphs and list items joined; blocks moved accordingly."""
    pieces: list[str] = []
    blocks: list[Block] = []
    length = read = 0
    for block in parsed.blocks:
        gap, body = parsed.text[read : block.start], parsed.text[block.start : block.end]
        if block.kind in ("table", "paragraph", "list"):
            body = _replace_breaks(body, " " if block.kind == "table" else HARD_BREAK)
        if block.kind in ("paragraph", "list") and "\n" in body:
            body = _join_lines(body)
        start = length + len(gap)
        length = start + len(body)
        pieces += (gap, body)
        blocks.append(replace(block, start=start, end=length))
        read = block.end
    return ParsedText(parsed.title, "".join((*pieces, parsed.text[read:])), tuple(blocks))


def _replace_breaks(body: str, by: str) -> str:
    """Without ``<br>`` outside of code. A body of nothing else stays."""
    if "<" not in body:
        return body
    replaced = _BREAK.sub(lambda found: found["code"] or by, body).replace(f"{HARD_BREAK}\n", HARD_BREAK).strip()
    return replaced or body


def _join_lines(body: str) -> str:
    """Soft-wrapped lines joined to the line before: by a space, or by nothing between two Chinese characters."""
    lines = body.split("\n")
    made = [lines[0]]
    for line, kept in zip(lines[1:], kept_breaks(lines), strict=True):
        before, words = made[-1].rstrip(" \t"), line.lstrip(" \t")
        # a piece that has grown long is left alone as well: it bounds the work
        hard = made[-1].endswith(("  ", "\\")) or max(len(line), len(made[-1])) > LINE_CHARS_MAX
        if hard or kept or not has_words(before) or not has_words(words) or _LIST.match(line):
            made[-1] = made[-1].removesuffix("\\")
            made.append(line)
        else:
            wide = before[-1] >= _WIDE and words[0] >= _WIDE
            made[-1] = before + ("" if wide else " ") + words
    return "\n".join(made)


def _line_kind(open_kind: Kind | None, line: str, text: str, lines: list[tuple[int, int]], index: int) -> Kind:
    following = text[slice(*lines[index + 1])] if index + 1 < len(lines) else ""
    if open_kind == "table" and "|" in line:
        return "table"
    if _is_row(line) or ("|" in line and "-" in following and len(following) <= LINE_CHARS_MAX and _DELIMITERS.match(following)):
        return "table"
    if _LIST.match(line):
        return "list"
    if _QUOTE.match(line):
        return "quote"
    if open_kind in ("list", "quote"):  # a line that goes on with the item or the quote
        return open_kind
    return "code" if open_kind in (None, "code") and _INDENTED.match(line) else "paragraph"


def _is_row(line: str) -> bool:
    line = line.strip()
    return len(line) > 1 and line[0] == line[-1] == "|"


def _heading_words(rest: str) -> str:
    """The text after the opening ``#``, without a closing run of them."""
    words = rest.strip()
    opened = words.rstrip("#")
    return opened.strip() if not opened or opened[-1].isspace() else words


def _promote_to_heading(reader: _BlockReader, level: int, end: int) -> None:
    """``Heading`` above ``=====``: turn the last line into a heading; lines before it stay a paragraph."""
    start = max(reader.start, reader.text.rfind("\n", reader.start, reader.end) + 1)
    words = reader.text[start : reader.end]
    if start > reader.start:
        reader.end = start - 1
    else:
        reader.kind = None
    reader.add_heading(level, words, start, end)


def _continues_list(text: str, lines: list[tuple[int, int]], index: int) -> bool:
    """A blank line inside a list: the next line is another item or an indented continuation."""
    if index + 1 >= len(lines):
        return False
    following = text[slice(*lines[index + 1])][:LINE_CHARS_MAX]
    return bool(_LIST.match(following) or _CONTINUED.match(following))


def _line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every line, without its line end."""
    spans = []
    start = 0
    while (end := text.find("\n", start)) >= 0:
        spans.append((start, end))
        start = end + 1
    spans.append((start, len(text)))
    return spans
