"""A file or a text to its structure: the detected type selects the parser."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.detect import (
    CSV,
    DOC,
    DOCX,
    EML,
    EPUB,
    HTML,
    MARKDOWN,
    MSG,
    ODP,
    ODS,
    ODT,
    OFFICE,
    OLE2,
    ORG,
    PDF,
    PICTURES,
    PLAIN,
    PPT,
    PPTX,
    RST,
    RTF,
    XLS,
    XLSX,
    XML,
    ZIP,
    detect,
)
from adapters.parsing.core.source import Bounds, DocumentSource, Entry
from adapters.parsing.core.text import check_and_clean, decode_entry
from adapters.parsing.markup.markdown import parse_markdown, parse_plain
from schemas.documents import FileType
from schemas.errors import Refused


def parse(source: DocumentSource, bounds: Bounds) -> ParsedText:
    """The structure of a document; ``media_type`` of the result is the detected type.

    Raises Refused: ``document_empty``, ``document_unreadable``, ``document_too_complex`` (a limit), ``document_type_unsupported``,
    ``password_required``, ``password_wrong``, ``ocr_required``. The file at ``source.path`` is read whole.
    """
    if source.path:
        data = Path(source.path).read_bytes()
        return parse_entry(
            Entry(
                data=data,
                bounds=bounds,
                media_type=source.media_type,
                filename=source.filename,
                charset=source.charset,
                password=source.password,
                url=source.url,
            )
        )
    return parse_text(source.text, source.media_type, bounds)


def parse_entry(entry: Entry) -> ParsedText:
    """The structure of a file, alone or inside another one. Raises as ``parse`` does."""
    media_type = detect(entry)
    if media_type in OFFICE and entry.data.startswith(OLE2):
        from adapters.parsing.office.package import decrypt_entry  # noqa: PLC0415  few files are encrypted

        entry = replace(entry, data=decrypt_entry(entry))
        media_type = detect(entry)  # the kind of Office file is known after decryption
    return _finish((_parse_fetched_page if entry.url and media_type == HTML else _parser_for(media_type))(entry), media_type)


def parse_text(text: str, media_type: FileType, bounds: Bounds) -> ParsedText:
    """The structure of a text in its declared type; without one, or with the type of a binary file, its bytes are parsed like a file."""
    if media_type == MARKDOWN:
        parsed = parse_markdown(check_and_clean(text, bounds))
    elif media_type == PLAIN:
        parsed = parse_plain(check_and_clean(text, bounds))
    elif media_type == HTML:
        from adapters.parsing.markup.html import parse_page  # noqa: PLC0415  lxml is loaded for pages only

        parsed = parse_page(check_and_clean(text, bounds, html=True), bounds)
    elif media_type == CSV:
        from adapters.parsing.markup.delimited import parse_rows  # noqa: PLC0415  as above

        parsed = parse_rows(check_and_clean(text, bounds), bounds)
    else:
        data = text.encode("utf-8", "replace")
        return parse_entry(Entry(data=data, bounds=bounds, media_type=media_type, charset="utf-8"))
    return _finish(parsed, media_type)


def _finish(parsed: ParsedText, detected: FileType) -> ParsedText:
    if not has_words(parsed.text):
        raise Refused("document_empty")
    return replace(parsed, media_type=detected)


def _parse_plain_entry(entry: Entry) -> ParsedText:
    return parse_plain(decode_entry(entry))


def _parse_markdown_entry(entry: Entry) -> ParsedText:
    return parse_markdown(decode_entry(entry))


def _parse_fetched_page(entry: Entry) -> ParsedText:
    from adapters.parsing.markup.web_page import parse_web_page  # noqa: PLC0415  as below

    return parse_web_page(entry)


_PARSERS: dict[FileType, tuple[str, str]] = {  # module and function
    HTML: ("markup.html", "parse_html"),
    CSV: ("markup.delimited", "parse_csv"),
    XML: ("markup.xml_records", "parse_xml"),
    PDF: ("pdf.document", "parse_pdf"),
    **dict.fromkeys(PICTURES, ("pdf.image", "parse_image")),
    DOCX: ("office.word", "parse_docx"),
    PPTX: ("office.slides", "parse_pptx"),
    XLSX: ("office.workbook", "parse_workbook"),
    XLS: ("office.workbook", "parse_workbook"),
    ODS: ("office.workbook", "parse_ods"),
    ODP: ("office.odp", "parse_odp"),
    DOC: ("office.old_office", "parse_doc"),
    PPT: ("office.old_office", "parse_ppt"),
    EPUB: ("elements.converted", "parse_epub"),
    ODT: ("elements.converted", "parse_odt"),
    RTF: ("elements.converted", "parse_rtf"),
    RST: ("elements.converted", "parse_rst"),
    ORG: ("elements.converted", "parse_org"),
}
_CONTAINERS: dict[FileType, tuple[str, str]] = {  # their functions get the parser of the files inside
    EML: ("containers.mail", "parse_eml"),
    MSG: ("containers.outlook", "parse_msg"),
    ZIP: ("containers.archive", "parse_zip"),
}


def _parser_for(detected: FileType) -> Callable[[Entry], ParsedText]:
    """The parser of a type. A module is loaded with the first file that needs it: a child process that reads only text stays small."""
    if detected in _CONTAINERS:
        return partial(_load(*_CONTAINERS[detected]), parse_inner=parse_entry)
    if detected in _PARSERS:
        return _load(*_PARSERS[detected])
    return _parse_markdown_entry if detected == MARKDOWN else _parse_plain_entry


def _load(module: str, function: str) -> Callable[..., ParsedText]:
    found: Callable[..., ParsedText] = getattr(import_module(f"adapters.parsing.{module}"), function)
    return found
