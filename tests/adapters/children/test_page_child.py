"""The child of pages with an Office file, where LibreOffice is installed: a conversion, once, and then a PDF file like any other."""

from pathlib import Path

import pytest

from adapters.children.page_child import PageChild
from adapters.children.protocol import ChildOptions, ImageResult, ImageTask, QuoteTask
from adapters.pages import paged_file
from adapters.pages.highlights import QuoteOnPages
from adapters.parsing.core.source import Bounds, DocumentSource
from adapters.parsing.office import libreoffice_kit
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.file_kinds import mixed
from tests.support.pdf_writer import Page, pdf

BOUNDS = Bounds.of(DocumentSettings())
OPTIONS = ChildOptions(
    parent=0, folder="", niceness=0, batch=False, memory_mib=1, cpu_s=1, ocr_cpu_s=1, ocr_memory_mib=1, embedding="", tables=""
)


@pytest.fixture
def word(tmp_path: Path) -> DocumentSource:
    """A Word document."""
    file = next(file for file in mixed(1) if file.name.endswith(".docx"))
    path = tmp_path / "document"
    path.write_bytes(file.data)
    return DocumentSource(path=str(path), filename=file.name, digest="d")


def test_an_office_file_is_converted_once(word: DocumentSource, monkeypatch: pytest.MonkeyPatch):
    """Its pages are those of the PDF file."""
    converted: list[str] = []

    def convert(source: Path, target: Path, format_name: str) -> None:
        converted.append(f"{source.suffix} {format_name}")
        assert source.read_bytes() == Path(word.path).read_bytes()
        target.write_bytes(pdf(Page(), Page().text(50, 700, "The harbour lantern is lit.")))

    monkeypatch.setattr(paged_file, "find_libreoffice", lambda: "/opt/libreoffice")
    monkeypatch.setattr(libreoffice_kit, "convert", convert)
    child = PageChild(OPTIONS)
    (found,) = child.perform(QuoteTask(source=word, bounds=BOUNDS, quote="The harbour lantern is lit."))
    (image,) = child.perform(ImageTask(source=word, bounds=BOUNDS, page=2, width=480))
    assert isinstance(found, QuoteOnPages)
    assert (found.page_count, found.share, [each.page for each in found.pages]) == (2, 1, [2])
    assert isinstance(image, ImageResult)
    assert converted == [".docx pdf"]


def test_without_a_converter_an_office_file_has_no_pages(word: DocumentSource, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paged_file, "find_libreoffice", lambda: "")
    with pytest.raises(Refused) as refused:
        list(PageChild(OPTIONS).perform(ImageTask(source=word, bounds=BOUNDS, page=1, width=480)))
    assert refused.value.code == "document_type_unsupported"
