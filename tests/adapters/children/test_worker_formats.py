"""Formats that other programs convert, in confined children: read there, and a hostile file ends by name."""

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.children.worker import TextWorker
from adapters.parsing import parse as parse_here
from adapters.parsing.core.programs import find_libreoffice
from adapters.parsing.core.source import Bounds, DocumentSource
from adapters.parsing.office import old_office
from benchmarks.parser_samples import convert_markdown
from schemas.documents import Shelf
from schemas.errors import Refused
from schemas.settings import RetrievalSettings
from schemas.settings.documents import DocumentSettings
from tests.support.file_kinds import slides, word
from tests.support.ole2_files import BODY, SUBJECT, ole2, outlook_message
from tests.support.open_documents import open_document, text_document

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def made():
    made = TextWorker(RetrievalSettings(), DocumentSettings(parse_wall_s=60, parse_cpu_s=20, parse_memory_mib=600))
    yield made
    await made.stop()


async def parse(made: TextWorker, path: Path):
    return await made.parse(DocumentSource(path=str(path), filename=path.name), title="", lane="express", shelf=Shelf())


async def test_converted_formats(made, tmp_path):
    """One child reads them all: pandoc starts there, nothing is fetched, the folder is left empty."""
    files = {f"a.{kind}": convert_markdown({"epub": "epub3"}.get(kind, kind)) for kind in ("epub", "odt", "rtf", "rst", "org")}
    files["a.msg"] = outlook_message({SUBJECT: "x", BODY: "泵房的备用电话是6620。"}, {"b.odt": convert_markdown("odt")})
    files["a.xml"] = "<a><b>泵房的备用电话是6620。</b></a>".encode()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        outcome = await parse(made, tmp_path / name)
        assert any("泵房的备用电话是6620。" in chunk.text for chunk in outcome.chunks), name
        assert outcome.notes == ()
    (child,) = made._heavy["express"]._children
    assert list(child._folder.path.iterdir()) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hurried():
    """With little CPU time, which is what most hostile files take; one for all of them, since each leaves it fit for the next."""
    made = TextWorker(RetrievalSettings(), DocumentSettings(parse_wall_s=60, parse_cpu_s=2, parse_memory_mib=600))
    yield made
    await made.stop()


HOSTILE = {
    "nested.rtf": b"{\\rtf1 " + b"{\\b x" * 60_000 + b"}" * 60_001,
    "unclosed.rtf": b"{\\rtf1 " + b"{\\*\\x" * 9_000,
    "table.rst": b"+" + b"-+" * 40_000 + b"\n|" + b" |" * 40_000 + b"\n",
    "quotes.rst": b"".join(b" " * (n % 900) + b"x\n" for n in range(60_000)),
    "emphasis.org": b"*a /b _c +d " * 60_000,
    "drawers.org": b":A:\n" * 60_000,
    "stars.org": b"".join(b"*" * (n % 500 + 1) + b" h\n" for n in range(20_000)),
    "spans.odt": open_document(text_document("<text:p>" + "<text:span>" * 50_000 + "x" + "</text:span>" * 50_000 + "</text:p>")),
    "deep.xml": b"<a>" * 100_000 + b"x" + b"</a>" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(150)
async def test_hostile_files_end_by_name(hurried, tmp_path, name):
    """Text or a refusal that names the limit; the next file is served."""
    (tmp_path / name).write_bytes(HOSTILE[name])
    (tmp_path / "next.rst").write_text("words\n")
    outcome: object = (await asyncio.gather(parse(hurried, tmp_path / name), return_exceptions=True))[0]
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, Refused)
        assert outcome.code in ("document_too_complex", "document_unreadable", "document_empty", "document_too_large"), outcome.detail
        assert outcome.detail or outcome.code == "document_empty"
    assert (await parse(hurried, tmp_path / "next.rst")).chunks[0].text == "words"


async def test_old_office_files_without_libreoffice_are_refused_with_the_remedy(tmp_path, monkeypatch):
    """The name of the program and of the format to save in."""
    monkeypatch.setattr(old_office, "find_libreoffice", lambda: "")
    for stream, new in (("WordDocument", ".docx"), ("PowerPoint Document", ".pptx")):
        (tmp_path / "old").write_bytes(ole2({stream: bytes(5_000)}))
        with pytest.raises(Refused, match="LibreOffice") as refused:
            parse_here(DocumentSource(path=str(tmp_path / "old")), Bounds.of(DocumentSettings()))
        assert refused.value.code == "document_type_unsupported"
        assert new in refused.value.detail


@pytest.mark.skipif(not find_libreoffice(), reason="LibreOffice is not installed")
async def test_old_office_files(made, tmp_path):
    """DOC and PPT, which LibreOffice writes here, come back through it in a child."""
    for name, new, old in (
        ("w.docx", word("The pump holds 6620 litres."), "doc"),
        ("s.pptx", slides("The pump holds 6620 litres."), "ppt"),
    ):
        (tmp_path / name).write_bytes(new)
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        arguments = (profile, "--headless", "--convert-to", old, "--outdir", str(tmp_path), str(tmp_path / name))
        program = await asyncio.create_subprocess_exec("soffice", *arguments)
        assert await program.wait() == 0
        for _ in range(2):  # the folder with its profile is emptied in between
            outcome = await parse(made, (tmp_path / name).with_suffix(f".{old}"))
            assert any("The pump holds 6620 litres." in chunk.text for chunk in outcome.chunks)
    (tmp_path / "broken.doc").write_bytes(ole2({"WordDocument": b"\xec\xa5\xc1\0" + bytes(5_000), "1Table": bytes(5_000)}))
    with pytest.raises(Refused) as refused:
        await parse(made, tmp_path / "broken.doc")
    assert refused.value.code in ("document_unreadable", "document_empty")
