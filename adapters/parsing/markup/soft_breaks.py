"""Soft line breaks of Markdown: which lines of a paragraph go on with the line before.

A writer who wraps a sentence breaks a line because it is full. A line that was ended early, or is followed by a label, was ended on
purpose: an address, a card, a poem. Nobody writes the two spaces of a hard break there, so the break is kept.
"""

import re
import unicodedata
from itertools import pairwise

WRAP_COLUMNS_MIN = 40  # nobody wraps prose at less; a Chinese character takes two columns
FULL_SHARE = 0.6  # of the paragraph's widest line: a shorter one was not full
LABEL_CHARS_MAX = 24
VERSE_LINES_MIN = 3

_MARKS = r"[*_`>\s]{0,6}"
_WIDE_LABEL = re.compile(rf"{_MARKS}[^\s：:，,。；;！!？?、（）()][^：:，,。；;！!？?\n]{{0,{LABEL_CHARS_MAX}}}{_MARKS}：")
_WORD_CHARS_MAX = 40  # of a label; without a bound a search looks at a long word from each of its characters
_LABEL = re.compile(
    rf"{_MARKS}(?:[A-Z][\w.&/'()-]{{0,{_WORD_CHARS_MAX}}}|[\u3400-\u9fff][\w()-]{{0,{_WORD_CHARS_MAX}}})"
    rf"(?:[ ][\w.&/'()#-]{{1,{_WORD_CHARS_MAX}}}){{0,4}}{_MARKS}:(?:[*_`\s]|$)"
)
_HAN_LABEL = re.compile(
    rf"{_MARKS}[\u3400-\u9fff][\w()（）/ ]{{0,14}}?(?<=[\u3400-\u9fff)）]){_MARKS}:(?!//)"
)  # also without a space behind it
_CLOSED = re.compile(r"[。！？!?；;：:，,、.…][”’」』）)\"'*_`]*$")
_ENDS = re.compile(r"[。！？!?]|\.(?:\s|$)")


def is_label(line: str) -> bool:
    """Whether a line begins with the name of what follows: ``电话：6620``, ``Terms: net 60``, ``**电话**：6620``."""
    head = line[: 4 * LABEL_CHARS_MAX]
    return any(label.match(head) for label in (_WIDE_LABEL, _LABEL, _HAN_LABEL))


def columns(line: str) -> int:
    """Width of a line as it stands on a screen."""
    return len(line) if line.isascii() else sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def kept_breaks(lines: list[str]) -> list[bool]:
    """For every line but the first, whether the break before it stays. Lines are of one paragraph or item."""
    widths = [columns(line.strip()) for line in lines]
    full = max(WRAP_COLUMNS_MIN, FULL_SHARE * max(widths))
    verse = _is_verse([line.strip() for line in lines])
    return [
        verse or is_label(after) or (width < full and not _goes_on(before.strip(), after.strip()))
        for (before, after), width in zip(pairwise(lines), widths, strict=False)
    ]


def _goes_on(before: str, after: str) -> bool:
    """Whether the words say that a sentence was broken: a small letter goes on, or Chinese that ends in the next line."""
    if is_label(before) or not before or not after:
        return False
    if after[0].islower():
        return not _ENDS.search(before[-1:])
    return after[0] > "\u2e80" and _CLOSED.search(before) is None and _ENDS.search(after) is not None


def _is_verse(lines: list[str]) -> bool:
    """Several lines that all begin with a capital and none of which is one sentence after another."""
    return len(lines) >= VERSE_LINES_MIN and all(line[:1].isupper() for line in lines)
