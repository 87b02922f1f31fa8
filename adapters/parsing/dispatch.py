"""A file or a text to its structure: the detected type selects the parser."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.detect import CSV, HTML, MARKDOWN, OFFICE, OLE2, PLAIN, detect
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


def _parser_for(detected: FileType) -> Callable[[Entry], ParsedText]:  # noqa: C901, PLR0911  one line per format
    """The parser of a type. A vendor is loaded with the first file that needs it: a child process that reads only text stays small."""
    match detected:
        case "text/markdown":
            return _parse_markdown_entry
        case "text/html":
            from adapters.parsing.markup.html import parse_html  # noqa: PLC0415

            return parse_html
        case "text/csv":
            from adapters.parsing.markup.delimited import parse_csv  # noqa: PLC0415

            return parse_csv
        case "message/rfc822":
            from adapters.parsing.containers.mail import parse_eml  # noqa: PLC0415

            return partial(parse_eml, parse_inner=parse_entry)
        case "application/zip":
            from adapters.parsing.containers.archive import parse_zip  # noqa: PLC0415

            return partial(parse_zip, parse_inner=parse_entry)
        case "application/pdf":
            from adapters.parsing.pdf.document import parse_pdf  # noqa: PLC0415

            return parse_pdf
        case "image/png" | "image/jpeg" | "image/tiff" | "image/gif" | "image/bmp" | "image/webp":
            from adapters.parsing.pdf.image import parse_image  # noqa: PLC0415

            return parse_image
        case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
            from adapters.parsing.office.word import parse_docx  # noqa: PLC0415

            return parse_docx
        case "application/vnd.openxmlformats-officedocument.presentationml.presentation":
            from adapters.parsing.office.slides import parse_pptx  # noqa: PLC0415

            return parse_pptx
        case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "application/vnd.ms-excel":
            from adapters.parsing.office.workbook import parse_workbook  # noqa: PLC0415

            return parse_workbook
        case _:
            return _parse_plain_entry
