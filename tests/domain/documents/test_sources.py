"""Where a document's content is got from: the event, the store, the web (a real server, asked once)."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from adapters.blobs import BlobStore, blob_folder
from adapters.secrets.encryption import encrypt
from adapters.web.fetch import Fetcher
from domain.documents.sources import DocumentLoader, blob_path
from schemas.documents import Document, DocumentSubmitted
from schemas.errors import Refused, Unavailable
from schemas.settings import NodeSettings, Settings
from schemas.settings.documents import DocumentSettings
from schemas.settings.section import Secret
from streams.clock import SystemClock

SECRET = Secret("test-" * 8)
KEY = "acme/kb/doc"


def document(**said: Any) -> Document:
    return Document(knowledge_base_id="kb", document_id="doc", title="doc", **said)


def read(path: str) -> str:
    assert Path(path).is_absolute()
    return Path(path).read_text()


def submitted(data: Document) -> DocumentSubmitted:
    return DocumentSubmitted(
        id="1",
        source="/test",
        subject=KEY,
        time=SystemClock().now(),
        tenant="acme",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        data=data,
    )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """Sources on a folder, and a web site that counts how often it is asked."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/robots.txt":
            return web.Response(status=404)
        if request.path == "/broken":
            return web.Response(status=503)
        return web.Response(text=f"<p>asked {len(asked)} times</p>", content_type="text/html", charset="utf-8")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = Settings(node=NodeSettings(home=tmp_path), documents=DocumentSettings(fetch_networks="127.0.0.1/32"))
    blobs, fetcher = BlobStore(settings), Fetcher(settings.documents)
    await blobs.start()
    await fetcher.start()
    yield SimpleNamespace(
        sources=DocumentLoader(blobs, fetcher, SECRET),
        blobs=blobs,
        asked=asked,
        url=f"http://127.0.0.1:{runner.addresses[0][1]}",
        files=lambda: [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()],
    )
    await fetcher.stop()
    await blobs.stop()
    await runner.cleanup()


async def test_text(house):
    data = document(text="Hello", media_type="text/markdown")
    async with house.sources.open_document(data, key=KEY, version=1, tenant="acme") as source:
        assert (source.text, source.media_type, source.path) == ("Hello", "text/markdown", "")
    assert blob_path(submitted(data), 1) == ""


async def test_file(house):
    """By a name that a child finds wherever it runs, with its password opened."""
    blob = await house.blobs.put(blob_folder("acme", "kb"), b"%PDF-")
    sealed = encrypt(SECRET.reveal(), "hunter2", context=KEY)
    data = document(blob=blob, media_type="application/pdf", filename="a.pdf", charset="gbk", sealed_password=sealed)
    async with house.sources.open_document(data, key=KEY, version=1, tenant="acme") as source:
        assert read(source.path) == "%PDF-"
        assert (source.media_type, source.filename, source.charset, source.password) == ("application/pdf", "a.pdf", "gbk", "hunter2")
    path = blob_path(submitted(data), 1)
    assert path == blob.path
    await house.sources.delete(path)
    assert not house.files()


async def test_a_password_of_another_document(house):
    data = document(text="x", sealed_password=encrypt(SECRET.reveal(), "hunter2", context="acme/kb/other"))
    with pytest.raises(Refused) as refused:
        async with house.sources.open_document(data, key=KEY, version=1, tenant="acme"):
            pass
    assert refused.value.code == "password_required"


async def test_a_page_is_fetched_once_per_version(house):
    """A retry and another build of the index see the very same content; another version is fetched anew; deletion leaves nothing."""
    data = document(url=house.url + "/page.html", media_type="")

    async def content(version: int) -> str:
        async with house.sources.open_document(data, key=KEY, version=version, tenant="acme") as source:
            assert (source.media_type, source.charset, source.filename, source.url) == ("text/html", "utf-8", "page.html", data.url)
            return read(source.path)

    first = await content(1)
    assert await content(1) == first
    assert await content(2) != first
    assert house.asked.count("/page.html") == 2
    assert len(house.files()) == 4
    await house.sources.delete(blob_path(submitted(data), 1))
    assert len(house.files()) == 2
    assert await content(2) != first
    await house.sources.delete(blob_path(submitted(data), 2))
    await house.sources.delete(blob_path(submitted(data), 2))
    assert not house.files()


async def test_two_fetches_at_once_agree(house, monkeypatch):
    """Whoever describes the page first has fetched the version; the other's file goes."""
    data = document(url=house.url + "/page.html", media_type="")
    other = DocumentLoader(house.blobs, house.sources._fetcher, SECRET)
    fetched = house.sources._fetcher.fetch

    async def fetch_meanwhile(address: str, write: Any) -> Any:
        monkeypatch.setattr(house.sources._fetcher, "fetch", fetched)
        async with other.open_document(data, key=KEY, version=1, tenant="acme"):
            pass
        return await fetched(address, write)

    monkeypatch.setattr(house.sources._fetcher, "fetch", fetch_meanwhile)
    async with house.sources.open_document(data, key=KEY, version=1, tenant="acme") as source:
        first = read(source.path)
    assert first == "<p>asked 2 times</p>"
    assert len(house.files()) == 2


async def test_a_page_that_fails_leaves_nothing(house):
    with pytest.raises(Unavailable):
        async with house.sources.open_document(document(url=house.url + "/broken"), key=KEY, version=1, tenant="acme"):
            pass
    assert not house.files()
