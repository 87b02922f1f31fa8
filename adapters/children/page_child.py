"""A child for the pages of files: ``python -m adapters.children.page_child OPTIONS``. Starts when it is first needed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from adapters.children import process
from adapters.children.protocol import ChildMessage, ChildOptions, ImageResult, ImageTask, QuoteTask, Task
from adapters.parsing.core.source import Entry
from schemas.errors import Refused

CONVERTED_BYTES_MAX = 64 * 1024 * 1024  # of a PDF file that is kept for the next page of the same document


class PageChild:
    """Makes page images and finds quotes. The last file that was converted is kept: converting takes longer than all the rest."""

    def __init__(self, _options: ChildOptions) -> None:
        from adapters.pages import images, pdf_file  # noqa: F401, PLC0415 - starts threads: after the confinement
        from adapters.pages.highlights import highlight_quote  # noqa: PLC0415
        from adapters.pages.paged_file import open_pages  # noqa: PLC0415

        self._open_pages, self._highlight = open_pages, highlight_quote
        self._converted: tuple[str, bytes] = ("", b"")  # SHA-256 of the file, and what it became

    def perform(self, task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        assert isinstance(task, QuoteTask | ImageTask)
        source = task.source
        data = Path(source.path).read_bytes()
        entry = Entry(data=data, bounds=task.bounds, media_type=source.media_type, filename=source.filename)
        with self._open_pages(entry, lambda entry, extension: self._convert(entry, extension, source.digest)) as file:
            if file.page_count > task.bounds.pages_max:
                raise Refused("document_too_complex", f"it has {file.page_count:,} pages (CLAW_DOCUMENT_PAGES_MAX)")
            if isinstance(task, ImageTask):
                yield ImageResult(file.render_page(task.page, task.width))
            else:
                yield self._highlight(file, task.quote, task.context, task.first, task.last)

    def load_more(self) -> Iterator[None]:
        """Part of process.TaskHandler: nothing is left to load."""
        return iter(())

    def _convert(self, entry: Entry, extension: str, digest: str) -> bytes:
        """The PDF file that LibreOffice makes of an Office file."""
        from adapters.parsing.office.libreoffice_kit import convert  # noqa: PLC0415  few installations have it

        if digest and self._converted[0] == digest:
            return self._converted[1]
        with tempfile.TemporaryDirectory() as name:
            source, target = Path(name, f"document.{extension}"), Path(name, "document.pdf")
            source.write_bytes(entry.data)
            convert(source, target, "pdf")
            if target.stat().st_size > CONVERTED_BYTES_MAX:
                raise Refused("document_too_complex", "it converts to a file of too many bytes")
            data = target.read_bytes()
        self._converted = (digest, data)
        return data


if __name__ == "__main__":
    process.run(PageChild)
