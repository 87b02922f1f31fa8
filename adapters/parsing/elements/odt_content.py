"""The content of an ODT file, prepared for pandoc: what its reader leaves out becomes plain paragraphs and spans.

Text boxes and shapes, tables in cells, form fields, content controls, most fields, symbols, headers and footers are text; hidden text and
the prompts of empty controls are not.
"""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.symbol_fonts import is_symbol_font, name_symbols
from adapters.parsing.core.unpacking import ZIP_ERRORS
from adapters.parsing.core.xml_options import XML_OPTIONS
from schemas.errors import Refused

CHAIN_MAX = 20  # styles based on each other; a ring of them ends here
_NAME = "urn:oasis:names:tc:opendocument:xmlns:{}:1.0".format
OFFICE, TEXT, TABLE, STYLE, DRAW = (f"{{{_NAME(name)}}}" for name in ("office", "text", "table", "style", "drawing"))
LOEXT = "{urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0}"
FIELD = "{urn:openoffice:names:experimental:ooo-ms-interop:xmlns:field:1.0}"
CHECKED, UNCHECKED = "☑", "☐"
_PARAGRAPHS = (TEXT + "p", TEXT + "h")
_BLOCKS = (*_PARAGRAPHS, TEXT + "list", TABLE + "table")
_HOLDERS = (OFFICE + "text", TEXT + "section", TEXT + "list-item", TABLE + "table-cell", STYLE + "header", STYLE + "footer")
_READ = {TEXT + name for name in "span a s tab line-break note note-citation note-body soft-page-break p h list list-item".split()}
_DROPPED = (OFFICE + "annotation", TEXT + "ruby-text", TEXT + "tracked-changes")
_MARGINS = [STYLE + name for name in ("header", "header-left", "header-first", "footer", "footer-left", "footer-first")]


@dataclass(frozen=True, slots=True)
class OdtContent:
    """``data`` is a package that pandoc reads; ``title`` the first paragraph of the style Title, taken out when it begins the text.

    ``margins`` are headers and footers, each text once.
    """

    data: bytes
    title: str
    begins_with_title: bool
    margins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Style:
    parent: str
    hidden: bool
    font: str


def prepare_odt(data: bytes, hidden: HiddenContent) -> OdtContent:
    """Raises Refused("document_unreadable"). The package must have been checked for its size."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            parts = {name: package.read(name) for name in ("content.xml", "styles.xml") if name in package.namelist()}
        content = _parse(parts["content.xml"])
        styles = _parse(parts["styles.xml"]) if "styles.xml" in parts else None
    except (etree.XMLSyntaxError, *ZIP_ERRORS) as error:
        raise Refused("document_unreadable", f"its content cannot be read: {error}") from error
    known = _read_styles([styles, content])
    body = content.find(f"{OFFICE}body/{OFFICE}text")
    title, begins = "", False
    for part in (body, styles):
        if part is not None:
            _Preparation(known, hidden).prepare(part)
    if body is not None:
        title, begins = _take_title(body, known)
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        package.writestr("content.xml", etree.tostring(content))
        if styles is not None:
            package.writestr("styles.xml", etree.tostring(styles))
    return OdtContent(made.getvalue(), title, begins, tuple(_read_margins(styles)))


def _parse(part: bytes) -> Any:
    return etree.fromstring(part, etree.XMLParser(**XML_OPTIONS))


def _read_styles(trees: list[Any]) -> dict[str, _Style]:
    found: dict[str, _Style] = {}
    for style in (style for tree in trees if tree is not None for style in tree.iter(STYLE + "style")):
        properties = style.find(STYLE + "text-properties")
        hidden = properties is not None and properties.get(TEXT + "display") == "none"
        font = "" if properties is None else properties.get(STYLE + "font-name", "")
        found[style.get(STYLE + "name", "")] = _Style(style.get(STYLE + "parent-style-name", ""), hidden, font)
    return found


def _chain(name: str, styles: Mapping[str, _Style]) -> Iterator[str]:
    """A style and those that it is based on."""
    for _ in range(CHAIN_MAX):
        if name not in styles:
            break
        yield name
        name = styles[name].parent
    if name and name not in styles:
        yield name


class _Preparation:
    """Changes one tree."""

    def __init__(self, styles: Mapping[str, _Style], hidden: HiddenContent) -> None:
        self._styles, self._hidden = styles, hidden

    def prepare(self, root: Any) -> None:
        for element in root.iter(LOEXT + "*"):
            if element.tag.startswith(LOEXT + "table"):
                element.tag = TABLE + element.tag.removeprefix(LOEXT)
        for element in list(root.iter(etree.Element)):
            if self._is_left_out(element):
                _remove(element)
        self._move_shapes(root)
        for table in [table for table in root.iter(TABLE + "table") if next(table.iterancestors(TABLE + "table-cell"), None) is not None]:
            _flatten_table(table)
        for element in list(root.iter(*_PARAGRAPHS)):
            self._spell_out(element)

    def _is_left_out(self, element: Any) -> bool:
        """Also what hides: the caller takes it out."""
        if element.tag in _DROPPED or (element.tag == LOEXT + "content-control" and element.get(LOEXT + "showing-place-holder") == "true"):
            return True
        style = self._styles.get(element.get(TEXT + "style-name", ""))
        unseen = style is not None and style.hidden and element.tag in (*_PARAGRAPHS, TEXT + "span")
        closed = element.tag == TEXT + "section" and element.get(TEXT + "display") == "none"
        what = "text" if unseen or closed or element.tag == TEXT + "hidden-text" else ""
        if element.tag == TABLE + "table-row" and element.get(TABLE + "visibility") in ("collapse", "filter"):
            what = "table rows"
        if not what or not "".join(element.itertext()).strip():
            return False
        self._hidden.add(what)
        return self._hidden.leave_out

    def _move_shapes(self, root: Any) -> None:
        """The blocks in shapes and text boxes stand behind the block that they are anchored in."""
        behind: dict[Any, Any] = {}  # the last block that was put behind an anchor
        for shape in [element for element in root.iter(DRAW + "*") if any(child.tag in _BLOCKS for child in element)]:
            anchor = shape
            while (above := anchor.getparent()) is not None and above.tag not in _HOLDERS:
                anchor = above
            if above is None:
                continue
            last = behind.get(anchor, anchor)
            for block in [child for child in shape if child.tag in _BLOCKS]:
                block.tail = None
                last.addnext(block)
                last = behind[anchor] = block

    def _spell_out(self, paragraph: Any) -> None:
        """Fields and controls become spans, symbols the characters that they show."""
        for element in list(paragraph.iterdescendants(etree.Element)):
            if element.tag == FIELD + "fieldmark":
                element.text = _field_state(element)
            if element.tag not in _READ and "".join(element.itertext()).strip() and not element.tag.startswith((DRAW, TABLE)):
                element.tag = TEXT + "span"
                element.attrib.clear()
        for element in paragraph.iter(TEXT + "p", TEXT + "h", TEXT + "span", TEXT + "a"):
            font = self._font_of(element)
            element.text = _spell(element.text, font)
            for child in element:
                child.tail = _spell(child.tail, font)

    def _font_of(self, element: Any) -> str:
        """The symbol font of a span; "" for any other."""
        for name in _chain(element.get(TEXT + "style-name", ""), self._styles):
            if name in self._styles and self._styles[name].font:
                font = self._styles[name].font
                return font if is_symbol_font(font) else ""
        return ""


def _spell(text: str | None, font: str) -> str | None:
    return name_symbols(text.replace("\xad", ""), font) if text and not (text.isascii() and not font) else text


def _field_state(field: Any) -> str:
    """What an old form field says: the state of a check box, the chosen entry of a list."""
    values: dict[str, list[str]] = {}
    for param in field.iterchildren(FIELD + "param"):
        values.setdefault(param.get(FIELD + "name", ""), []).append(param.get(FIELD + "value", ""))
    kind = field.get(FIELD + "type", "")
    if kind.endswith("FORMCHECKBOX"):
        return CHECKED if values.get("Checkbox_Checked", [""])[0] == "true" else UNCHECKED
    entries, chosen = values.get("Dropdown_ListEntry", []), values.get("Dropdown_Selected", ["0"])[0]
    return entries[int(chosen)] if chosen.isdecimal() and len(chosen) < 5 and int(chosen) < len(entries) else ""  # noqa: PLR2004


def _flatten_table(table: Any) -> None:
    """A table inside a cell: a paragraph per row."""
    for row in table.iter(TABLE + "table-row"):
        cells = [" ".join("".join(cell.itertext()).split()) for cell in row.iterchildren(TABLE + "table-cell")]
        if any(cells):
            line = etree.Element(TEXT + "p")
            line.text = " ".join(filter(None, cells))
            table.addprevious(line)
    _remove(table)


def _take_title(body: Any, styles: Mapping[str, _Style]) -> tuple[str, bool]:
    """The text of the first paragraph of the style Title, and whether the text begins with it; then it is taken out."""
    first = True
    for paragraph in body.iter(*_PARAGRAPHS):
        text = " ".join("".join(paragraph.itertext()).split())
        if text and any(name == "Title" for name in _chain(paragraph.get(TEXT + "style-name", ""), styles)):
            if first:
                _remove(paragraph)
            else:
                paragraph.tag = TEXT + "h"
                paragraph.set(TEXT + "outline-level", "1")
            return text, first
        first = first and not text
    return "", False


def _read_margins(styles: Any) -> Iterator[str]:
    said: set[str] = set()
    for margin in () if styles is None else styles.iter(*_MARGINS):
        lines = [" ".join("".join(one.itertext()).split()) for one in margin.iter(*_PARAGRAPHS)]
        text = "\n".join(filter(None, lines))
        if text not in said and any(map(str.isalpha, text)):
            said.add(text)
            yield text


def _remove(element: Any) -> None:
    """Take an element out, not the text behind it."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + (element.tail or "")
    else:
        parent.text = (parent.text or "") + (element.tail or "")
    parent.remove(element)
