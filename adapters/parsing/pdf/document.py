"""PDF: text in reading order with page numbers, tables by row, form fields by their values; scanned pages by recognition.

Two passes. The first takes each page's characters and lines and closes it (``page.py``): only then is known what runs through all pages,
how big body text is, and how many pages are scans, which the second pass reads (``scans.py``). What a hostile page makes pdfium do is
bounded by the process that this runs in.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Allowance, Bounds, Entry
from adapters.parsing.core.titles import is_made_up
from adapters.parsing.pdf.blocks import write_pages
from adapters.parsing.pdf.layout import flows_of
from adapters.parsing.pdf.legibility import is_legible
from adapters.parsing.pdf.lines import Flow, line_of
from adapters.parsing.pdf.page import PdfPage, read_page, refuse_length
from adapters.parsing.pdf.running_headers import without_running_headers
from adapters.parsing.pdf.scans import name_pages, read_scans
from adapters.parsing.pdf.text import TextSpan
from schemas.errors import Refused

_COPYING = 1 << 4  # permission bit 5 of the standard security handler
_MEANINGLESS_TITLE = re.compile(r"microsoft \w+ - .*|[\W\d_]*|\S*[_/\\]\S*", re.IGNORECASE)  # besides those that no format means

# An object whose length is said to be itself: readers that follow it never come back.
_SELF_REFERENCE = re.compile(rb"\b(\d{1,10}) (\d{1,5}) obj\s*<<[^<>]{0,200}?/Length \1 \2 R")


def parse_pdf(entry: Entry) -> ParsedText:
    """Blocks of a PDF file, each with its page.

    Notes: ``page_unreadable``, ``pages_need_ocr``, ``read_by_ocr``, ``ocr_incomplete``, ``glyphs_without_text`` name pages,
    ``copy_protected`` says that its owner forbids copying, ``file_repaired`` that something may be missing because the file is damaged.
    Raises Refused: ``password_required``, ``password_wrong``, ``document_unreadable``, ``document_too_complex`` (pages, characters, scanned
    pages of a document that has no others), ``document_type_unsupported`` for XFA forms, ``ocr_required``, ``document_empty``.
    """
    bounds, allowance = entry.bounds, Allowance.of(entry.bounds)
    with open_pdf(entry) as document:
        if pdfium.FPDF_GetFormType(document.raw) == pdfium.FORMTYPE_XFA_FULL:  # its pages say only that another program is needed
            raise Refused("document_type_unsupported", "it is an XFA form, whose text only Adobe's programs make: print it there to a PDF")
        count = len(document)
        if count > bounds.pages_max:
            raise Refused("document_too_complex", f"it has {count:,} pages; {bounds.pages_max:,} are read (CLAW_DOCUMENT_PAGES_MAX)")
        pages = _read_pages(document, count, bounds)
        assembly = Assembly(bounds.chars_max)
        if all(page.state == "broken" for page in pages):
            raise Refused("document_unreadable", "none of its pages can be read")
        read_scans(document, pages, bounds, entry.allowance or allowance, assembly)
        if broken := [number for number, page in enumerate(pages, 1) if page.state == "broken"]:
            assembly.add_note("page_unreadable", name_pages(broken))
        if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) >= 0 and not pdfium.FPDF_GetDocUserPermissions(document.raw) & _COPYING:
            assembly.add_note("copy_protected", "its owner forbids copying text")
        if not pdfium.FPDF_DocumentHasValidCrossReferenceTable(document.raw) or _SELF_REFERENCE.search(entry.data):
            assembly.add_note("file_repaired", "its structure is damaged: what could be found of it is here")
        title = _title(document)
    bodies = without_running_headers([page.spans for page in pages])
    write_pages(assembly, [(number, _page_flows(spans, page)) for number, (spans, page) in enumerate(zip(bodies, pages, strict=True), 1)])
    if assembly.is_empty:
        raise Refused("document_unreadable" if broken else "document_empty", "no text comes out of its pages")
    return assembly.build(title)


@contextmanager
def open_pdf(entry: Entry) -> Iterator[pdfium2.PdfDocument]:
    """The document, closed at the end. A password for a file that needs none is ignored."""
    document = None
    for password in dict.fromkeys((entry.password or None, None)):
        try:
            document = pdfium2.PdfDocument(entry.data, password=password)
            break
        except pdfium2.PdfiumError as error:
            code = error.err_code
    if document is None:
        if code == pdfium.FPDF_ERR_PASSWORD:
            raise Refused("password_wrong" if entry.password else "password_required")
        raise Refused("document_unreadable", "its structure is damaged beyond repair")
    try:
        document.init_forms()
        yield document
    finally:
        document.close()


def _read_pages(document: pdfium2.PdfDocument, count: int, bounds: Bounds) -> list[PdfPage]:
    pages = []
    left = bounds.chars_max
    for index in range(count):
        page = read_page(document, index, left, bounds)
        left -= page.chars
        if left < 0:
            refuse_length(bounds)
        pages.append(page)
    return pages


def _page_flows(spans: list[TextSpan], page: PdfPage) -> list[Flow]:
    """The page, then its text in other directions."""
    flows = flows_of(spans, page.grids)
    for group in page.turned:
        for flow in flows_of(group, ()) if group[0].size else [Flow([line_of([span]) for span in group])]:
            flow.aside = True
            flows.append(flow)
    return flows


def _title(document: pdfium2.PdfDocument) -> str:
    """The title in the file's properties, unless a program generated it."""
    title = " ".join(document.get_metadata_value("Title").split())
    return "" if is_made_up(title) or _MEANINGLESS_TITLE.fullmatch(title) or not is_legible(title) else title
