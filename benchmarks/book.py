"""A text PDF of 300 pages through the child process that parses it in production. The baseline is text extraction by pdfium alone."""

import asyncio
import tempfile
import time
from pathlib import Path

import pypdfium2

from adapters.children.worker import ParseUsage, TextWorker
from adapters.parsing.core.source import DocumentSource
from benchmarks.figures import Figure
from schemas.documents import Shelf
from schemas.settings import Settings

PAGES = 300
LINES = 44
LINE = "On page {page} line {line} the keeper of the harbour wrote down the wind, the ships and the price of {n} barrels of oil."


async def run() -> list[Figure]:
    """The second parse counts: a running stack has warm children."""
    efforts: list[ParseUsage] = []
    settings = Settings()
    worker = TextWorker(settings.retrieval, settings.documents, observe=efforts.append)
    await worker.start()
    try:
        with tempfile.TemporaryDirectory(prefix="claw-bench-") as folder:
            path = Path(folder) / "book.pdf"
            await asyncio.to_thread(path.write_bytes, book(PAGES))
            bare_s = await asyncio.to_thread(time_pdfium, path)
            for _ in range(2):
                outcome = await worker.parse(
                    DocumentSource(media_type="application/pdf", path=str(path), filename="book.pdf"),
                    title="",
                    lane="express",
                    shelf=Shelf(),
                )
    finally:
        await worker.stop()
    last = efforts[-1]
    return [
        Figure("pdf_300_pages", round(last.seconds, 2), "s", round(last.seconds / bare_s, 2), "pdfium's text alone", "<= 10 s"),
        Figure("pdf_300_pages_memory", round(max(each.peak_kib for each in efforts) / 1024), "MiB", bar="<= 500 MiB"),
        Figure("pdf_300_pages_chunks", len(outcome.chunks), "chunks"),
    ]


def time_pdfium(path: Path) -> float:
    """Seconds for the text of every page, in the order of the content stream."""
    began = time.perf_counter()
    document = pypdfium2.PdfDocument(path)
    for page in document:
        page.get_textpage().get_text_bounded()
    document.close()
    return time.perf_counter() - began


def book(pages: int) -> bytes:
    """A PDF of plain text pages, by hand."""
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for page in range(1, pages + 1):
        lines = [LINE.format(page=page, line=line, n=page * line % 97) for line in range(1, LINES + 1)]
        text = (
            f"BT /F1 18 Tf 60 760 Td (Chapter {page}) Tj /F1 9 Tf 0 -24 Td 15 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        )
        content = text.encode("latin-1")
        bodies.append(b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream")
        resources = b"/Resources<</Font<</F1 3 0 R>>>>"
        bodies.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R%s>>" % (len(bodies), resources))
        kids.append(b"%d 0 R" % len(bodies))
    bodies[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), pages)
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(out))
    return bytes(out) + b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1) + table + end
