"""EPUB, ODT, RTF, reStructuredText, Org: pandoc's page becomes blocks; its metadata are title and first lines."""

import html
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.source import Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.core.unpacking import ZIP_ERRORS, check_package
from adapters.parsing.elements.odt_content import prepare_odt
from adapters.parsing.elements.page import add_page
from adapters.parsing.elements.pandoc import ConvertedPage, convert_to_html
from adapters.parsing.elements.rtf_characters import spell_out_characters
from schemas.errors import Refused

VALUES_MAX = 50  # of the metadata
PROPERTIES_BYTES_MAX = 65_536  # of an OpenDocument file; real ones have about 1 KB
_TECHNICAL = (
    "title",
    "lang",
    "language",
    "identifier",
    "cover-image",
    "css",
    "toc",
    "generator",
    "rights",
    "dir",
    "header-includes",
    "source",
)
_TITLE = re.compile(r"<dc:title>([^<]{1,500})</dc:title>")
_TAG = re.compile(r"<[^<>]{0,2000}>")


def parse_epub(entry: Entry) -> ParsedText:
    """A book. Raises as ``_parse_package`` does."""
    return _parse_package(entry, "epub")


def parse_odt(entry: Entry) -> ParsedText:
    """An OpenDocument text. Raises as ``_parse_package`` does.

    Notes: ``hidden_left_out`` or ``hidden_included``.
    """
    check_package(entry.data, entry.bounds)
    hidden = HiddenContent(include=entry.bounds.include_hidden)
    content = prepare_odt(entry.data, hidden)
    page = convert_to_html(content.data, "odt", entry.bounds.chars_max)
    assembly = Assembly(entry.bounds.chars_max)
    assembly.add_heading(1, content.title if content.begins_with_title else "")
    _add_converted(assembly, page, entry)
    assembly.start_section()
    for margin in content.margins:
        assembly.add_paragraph(margin)
    hidden.note_in(assembly)
    return assembly.build(content.title, _package_title(entry.data))


def parse_rtf(entry: Entry) -> ParsedText:
    """An RTF document, its characters in any code page. Raises as ``pandoc.convert_to_html`` does."""
    try:
        data = spell_out_characters(entry.data[entry.data.index(b"{") :])
    except ValueError as error:
        raise Refused("document_too_complex", str(error)) from error
    return _read_page(convert_to_html(data, "rtf", entry.bounds.chars_max), entry)


def parse_rst(entry: Entry) -> ParsedText:
    """ReStructuredText in any encoding. Raises as ``pandoc.convert_to_html`` and ``text.decode_entry`` do."""
    return _read_page(convert_to_html(decode_entry(entry).encode(), "rst", entry.bounds.chars_max), entry)


def parse_org(entry: Entry) -> ParsedText:
    """Org in any encoding. Raises as ``parse_rst`` does."""
    return _read_page(convert_to_html(decode_entry(entry).encode(), "org", entry.bounds.chars_max), entry)


def _parse_package(entry: Entry, format_name: str) -> ParsedText:
    """Raises as ``unpacking.check_package`` and ``pandoc.convert_to_html`` do."""
    check_package(entry.data, entry.bounds)
    return _read_page(convert_to_html(entry.data, format_name, entry.bounds.chars_max), entry)


def _package_title(data: bytes) -> str:
    """The title in the properties of an OpenDocument file, which pandoc does not read; empty when there is none."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as package, package.open("meta.xml") as part:
            found = _TITLE.search(part.read(PROPERTIES_BYTES_MAX).decode("utf-8", "replace"))
    except (KeyError, *ZIP_ERRORS):
        return ""
    return _plain(found[1]) if found else ""


def _read_page(page: ConvertedPage, entry: Entry) -> ParsedText:
    assembly = Assembly(entry.bounds.chars_max)
    title = _plain(page.metadata.get("title", ""))
    assembly.add_heading(1, title)
    _add_converted(assembly, page, entry)
    return assembly.build(title)


def _add_converted(assembly: Assembly, page: ConvertedPage, entry: Entry) -> None:
    assembly.add_paragraph("\n".join(f"{name}: {value}" for name, value in _fields(page.metadata)))
    add_page(assembly, page.body, entry.bounds)


def _fields(metadata: dict[str, object]) -> Iterator[tuple[str, str]]:
    """What the document says about itself besides its title."""
    for name, value in list(metadata.items())[:VALUES_MAX]:
        if name not in _TECHNICAL and (text := _plain(value)):
            yield name, text


def _plain(value: object) -> str:
    """A value without tags; of a list all of them."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if isinstance(value, dict):
        return _plain(value.get("text", value.get("name", "")))
    return " ".join(html.unescape(_TAG.sub("", value)).split()) if isinstance(value, str) else ""
