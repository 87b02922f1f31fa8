"""The blob store: one contract, held by a folder, by S3 (a real server of it), and by the driver for memory."""

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.blobs import BlobStore, blob_folder
from schemas.documents import Blob
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import NodeSettings, Settings
from schemas.settings.documents import DocumentSettings

HOME = blob_folder("acme", "6f0a5d3b")


def settings_of(home: Path, url: str = "", **documents: Any) -> Settings:
    return Settings(node=NodeSettings(home=home), documents=DocumentSettings(blob_url=url, **documents))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a bucket on a server of its own."""
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - seconds of import that only these tests need
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        boto3.client("s3").create_bucket(Bucket="files")
        yield "s3://files/claw"
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """A store, and how to list all that lies in it."""
    url = {"folder": "", "memory": f"memory://{tmp_path.name}"}.get(request.param) or (
        request.getfixturevalue("s3") + "/" + tmp_path.name if request.param == "s3" else ""
    )
    blobs = BlobStore(settings_of(tmp_path, url, file_bytes_max=20_000_000))
    await blobs.start()

    def listed() -> set[str]:
        if request.param == "folder":
            return {path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
        drive: Any = blobs._drive
        return {name.rpartition("/")[2] for name in drive._files.find(drive._root)} - {"probe"}

    yield SimpleNamespace(blobs=blobs, listed=listed, home=tmp_path, kind=request.param)
    await blobs.stop()


async def content(blobs: BlobStore, blob: Blob) -> bytes:
    async with blobs.local_path(blob) as path:
        return path.read_bytes()


async def test_written_in_pieces_and_read_back(store):
    """Bytes and hash are those of what was written, whatever the pieces; S3 gets several parts."""
    data = os.urandom(6_000_000)
    async with store.blobs.writer(HOME) as written:
        for start in range(0, len(data), 70_001):
            await written.write(data[start : start + 70_001])
        blob = await written.commit()
    assert (blob.bytes, blob.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert blob.path.startswith(HOME + "/")
    assert await content(store.blobs, blob) == data
    assert store.listed() == {blob.path.rpartition("/")[2]}
    assert not list((store.home / "scratch").glob("*"))


async def test_what_is_not_committed_leaves_nothing(store):
    async def write(size: int, bytes_max: int) -> None:
        async with store.blobs.writer(HOME, bytes_max) as written:
            await written.write(os.urandom(size))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await write(5_500_000, 0)  # S3 has begun an upload of several parts
    with pytest.raises(Refused) as refused:
        await write(1_001, 1_000)
    assert refused.value.code == "document_too_large"
    assert "1,000" in refused.value.detail
    assert store.listed() == set()
    if store.kind == "s3":
        drive: Any = store.blobs._drive
        assert not drive._files.call_s3("list_multipart_uploads", Bucket="files").get("Uploads")


async def test_given_up_in_the_middle(store):
    """A task that is cancelled while it writes leaves nothing either."""
    begun = asyncio.Event()

    async def upload() -> None:
        async with store.blobs.writer(HOME) as written:
            await written.write(os.urandom(5_500_000))  # S3 has begun an upload of several parts
            begun.set()
            while True:  # without end, and far too slow to reach the limit of a file
                await written.write(os.urandom(1_000))
                await asyncio.sleep(0.001)

    task = asyncio.create_task(upload())
    await begun.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.listed() == set()


async def test_deleted(store):
    blob = await store.blobs.put(HOME, b"gone soon")
    await store.blobs.delete(blob.path)
    await store.blobs.delete(blob.path)
    assert store.listed() == set()
    with pytest.raises(Refused) as refused:
        await content(store.blobs, blob)
    assert refused.value.code == "file_missing"


async def test_another_file_than_the_event_says(store):
    """The size or, where it has to be copied anyway, the hash is held against the event."""
    blob = replace(await store.blobs.put(HOME, b"four"), sha256="0" * 64, bytes=3)
    with pytest.raises(Refused) as refused:
        await content(store.blobs, blob)
    assert refused.value.code == "file_missing"


async def test_a_place_agreed_on_is_written_once(store):
    path = HOME + "/ab/agreed.page"
    assert await store.blobs.create(path, b"first")
    assert not await store.blobs.create(path, b"second")
    assert await store.blobs.read(path, 100) == b"first"
    assert await store.blobs.read(path, 3) == b"fir"
    with pytest.raises(Refused):
        await store.blobs.read(HOME + "/ab/none.page", 100)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "a/../../b", "/etc/passwd", "a//b", "a/./b", ".incoming/x", "a", "", "a/b\n", "a\\..\\b/c"]
)
async def test_no_place_outside_the_store(store, path):
    for call in (
        store.blobs.delete(path),
        store.blobs.read(path, 10),
        store.blobs.create(path, b""),
        content(store.blobs, Blob(path=path, bytes=1, sha256="")),
    ):
        with pytest.raises(Refused) as refused:
            await call
        assert refused.value.code == "file_missing"


async def test_check(store):
    await store.blobs.check()
    assert store.listed() == set()


def test_homes_are_harmless():
    """Names of upstream systems never become paths."""
    assert blob_folder("acme", "kb-1") == "acme/kb-1"
    odd = blob_folder("..", "a/../b")
    assert ".." not in odd
    assert odd.count("/") == 1
    assert blob_folder("acme", "a b") != blob_folder("acme", "a c")


async def test_folder_is_for_nobody_else_and_swept(tmp_path: Path):
    """0700 and 0600; what a killed process left is removed after a day."""
    incoming = tmp_path / "blobs" / ".incoming"
    incoming.mkdir(parents=True)
    for name, age_s in (("old", 90_000), ("new", 10)):
        (incoming / name).write_bytes(b"x")
        os.utime(incoming / name, (time.time() - age_s,) * 2)
    blobs = BlobStore(settings_of(tmp_path / "fresh"))
    await blobs.start()
    blob = await blobs.put(HOME, b"private")
    assert stat.S_IMODE((tmp_path / "fresh" / "blobs").stat().st_mode) == 0o700
    async with blobs.local_path(blob) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await blobs.stop()
    blobs = BlobStore(settings_of(tmp_path))
    await blobs.start()
    assert [entry.name for entry in incoming.iterdir()] == ["new"]
    await blobs.stop()


async def test_a_store_that_is_away_is_unavailable(tmp_path: Path, monkeypatch):
    """Opening connects to nothing; the calls say what is the matter."""
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(__import__("adapters.blobs.bucket", fromlist=[""]).S3_OPTIONS["config_kwargs"], "retries", {"max_attempts": 0})
    blobs = BlobStore(settings_of(tmp_path, "s3://files/claw"))
    await blobs.start()
    for call in (blobs.check(), blobs.put(HOME, b"x"), blobs.delete(HOME + "/aa/b"), content(blobs, Blob(path="a/b", bytes=1, sha256=""))):
        with pytest.raises(Unavailable) as unavailable:
            await call
        assert unavailable.value.code == "blobs_unavailable"
    await blobs.stop()


@pytest.mark.parametrize("url", ["nowhere://files", "/proc/nothing/here"])
async def test_a_store_that_can_never_work_is_the_operators(tmp_path: Path, url: str):
    blobs = BlobStore(settings_of(tmp_path, url))
    with pytest.raises(ConfigurationError, match="CLAW_DOCUMENT_BLOB_URL"):
        await blobs.start()
    await blobs.stop()
