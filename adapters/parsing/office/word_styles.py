"""Styles and list definitions of a Word file: levels of headings, and the numbers that Word shows but does not store."""

import re
from dataclasses import dataclass
from typing import Any

from adapters.parsing.office.chinese_numerals import chinese_numeral

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
CHAIN_MAX = 20  # styles based on each other; a ring of them ends here
BODY_OUTLINE = 9  # this outline level says: no heading
LEVELS = 9  # of a list
NUMBER_MAX = 99_999  # of an item; beyond that nobody counts
_HEADING = re.compile(r"(?:heading|标题|標題|見出し|제목|titre|überschrift|título|titolo|заголовок)\s*([1-9])", re.IGNORECASE)
_TITLES = ("title", "标题", "標題")
_PLACEHOLDER = re.compile(r"%([1-9])")
_CIRCLED_MAX = 20
_ROMAN = dict(zip((1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "m cm d cd c xc l xl x ix v iv i".split(), strict=True))
_CHINESE = {f"{country}Counting{how}" for country in ("chinese", "taiwanese", "japanese") for how in ("", "Thousand")}
_CHINESE_MAX = 9_999


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    based_on: str
    properties: Any  # w:pPr, or None


class Styles:
    """The paragraph styles of a file; ``tree`` is styles.xml, or None."""

    def __init__(self, tree: Any) -> None:
        self._styles: dict[str, _Style] = {}
        self._default = ""
        self.hidden: set[str] = set()  # character styles of hidden text
        for element in () if tree is None else tree.iter(W + "style"):
            if element.get(W + "type") == "character":
                mark = element.find(f"{W}rPr/{W}vanish")
                if mark is not None and mark.get(W + "val", "1") not in ("0", "false", "off"):
                    self.hidden.add(element.get(W + "styleId", ""))
            elif element.get(W + "type") == "paragraph":
                style_id = element.get(W + "styleId", "")
                self._styles[style_id] = _Style(child_value(element, "name"), child_value(element, "basedOn"), element.find(W + "pPr"))
                if element.get(W + "default") in ("1", "true"):
                    self._default = style_id

    def level(self, paragraph: Any) -> int:
        """The level of a heading from 1, 0 for anything else."""
        own = paragraph.find(W + "pPr")
        if own is not None and own.find(W + "outlineLvl") is not None:
            return _outline_level(own)
        for style in self._chain(own):
            if match := _HEADING.fullmatch(style.name.strip()):
                return int(match[1])
            if style.name.strip().lower() in _TITLES:
                return 1
            if style.properties is not None and style.properties.find(W + "outlineLvl") is not None:
                return _outline_level(style.properties)
        return 0

    def is_title(self, paragraph: Any) -> bool:
        """Whether a paragraph has the style Title, or one that is based on it."""
        return any(style.name.strip().lower() in _TITLES for style in self._chain(paragraph.find(W + "pPr")))

    def numbering(self, paragraph: Any) -> tuple[str, int]:
        """The list that a paragraph belongs to (empty: none) and its level in it, from 0: its own property or that of its style."""
        own = paragraph.find(W + "pPr")
        list_id, level = "", ""
        for properties in (own, *(style.properties for style in self._chain(own))):
            element = properties.find(W + "numPr") if properties is not None else None
            if element is not None:
                list_id = list_id or child_value(element, "numId")
                level = level or child_value(element, "ilvl")
        return ("" if list_id == "0" else list_id), parse_number(level, 0, LEVELS - 1)

    def _chain(self, properties: Any) -> list[_Style]:
        """The paragraph's style and those it is based on."""
        style_id = (child_value(properties, "pStyle") if properties is not None else "") or self._default
        chain: list[_Style] = []
        while (style := self._styles.get(style_id)) is not None and len(chain) < CHAIN_MAX:
            chain.append(style)
            style_id = style.based_on
        return chain


class Numbering:
    """Counts the items of lists; ``tree`` is numbering.xml, or None."""

    def __init__(self, tree: Any) -> None:
        self._levels: dict[str, dict[int, Any]] = {}  # by list id
        self._counted_as: dict[str, str] = {}  # lists of one definition count on together
        self._counts: dict[str, list[int]] = {}
        if tree is None:
            return
        definitions = {one.get(W + "abstractNumId", ""): one for one in tree.findall(W + "abstractNum")}
        for element in tree.findall(W + "num"):
            list_id, abstract = element.get(W + "numId", ""), child_value(element, "abstractNumId")
            overrides = element.findall(W + "lvlOverride")
            levels = [*definitions[abstract].findall(W + "lvl")] if abstract in definitions else []
            levels += [level for override in overrides for level in override.findall(W + "lvl")]
            self._levels[list_id] = {parse_number(level.get(W + "ilvl", ""), 0, LEVELS - 1): level for level in levels}
            self._counted_as[list_id] = f"own {list_id}" if overrides else abstract

    def next_label(self, list_id: str, level: int) -> str:
        """The label of the next item of a list, such as ``第三条`` or ``2.1``; empty for bullets."""
        levels = self._levels.get(list_id, {})
        if level not in levels:
            return ""
        counts = self._counts.setdefault(self._counted_as[list_id], [0] * LEVELS)
        for deeper in range(level + 1, LEVELS):
            counts[deeper] = 0
        for above in range(level + 1):
            if counts[above] == 0 or above == level:
                first = parse_number(child_value(levels[above], "start"), 1, NUMBER_MAX) if above in levels else 1
                counts[above] = min(counts[above] + 1, NUMBER_MAX) if counts[above] else first
        if child_value(levels[level], "numFmt") in ("bullet", "none", ""):
            return ""
        legal = levels[level].find(W + "isLgl") is not None  # all in digits, whatever the levels above say

        def format_placeholder(match: re.Match[str]) -> str:
            above = int(match[1]) - 1
            return format_number(counts[above], "decimal" if legal or above not in levels else child_value(levels[above], "numFmt"))

        return _PLACEHOLDER.sub(format_placeholder, child_value(levels[level], "lvlText")).strip()


def format_number(count: int, style: str) -> str:
    """A number as Word writes it in a list."""
    if style in ("lowerLetter", "upperLetter"):
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters.upper() if style == "upperLetter" else letters
    if style in ("lowerRoman", "upperRoman"):
        roman = _roman_numeral(count)
        return roman.upper() if style == "upperRoman" else roman
    if style.startswith("decimalEnclosedCircle") and 0 < count <= _CIRCLED_MAX:
        return chr(ord("①") + count - 1)
    if style == "decimalZero":
        return f"{count:02}"
    if style in _CHINESE and 0 < count <= _CHINESE_MAX:
        said = chinese_numeral(count)
        return said[1:] if said.startswith("一十") else said
    return str(count)


def child_value(element: Any, name: str) -> str:
    """The ``w:val`` of a child."""
    child = element.find(W + name)
    return "" if child is None else child.get(W + "val", "")


def parse_number(text: str, least: int, most: int) -> int:
    """A number from a file, within bounds; the lower bound when it is none."""
    return min(max(int(text), least), most) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) + 1 else least


def _outline_level(properties: Any) -> int:
    level = parse_number(child_value(properties, "outlineLvl"), 0, BODY_OUTLINE)
    return 0 if level == BODY_OUTLINE else level + 1


def _roman_numeral(count: int) -> str:
    letters = ""
    for unit, letter in _ROMAN.items():
        letters += letter * (count // unit)
        count %= unit
    return letters
