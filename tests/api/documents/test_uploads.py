"""Files at the door: streamed into the store, named on the log, or nowhere at all."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from adapters.secrets.encryption import decrypt
from api.documents.ports import DocumentPorts
from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas.documents import Blob, Document
from schemas.errors import Unavailable
from schemas.settings.documents import DocumentSettings
from tests.support.api_people import key_of
from tests.support.api_process import House, Person, opened
from tests.support.problems import is_problem
from tests.support.reply_speaker import all_events, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40


def files(house: House) -> set[Path]:
    """All there is in the store, half or whole."""
    return {path for path in (house.settings.node.home / "blobs").rglob("*") if path.is_file()}


@pytest_asyncio.fixture(loop_scope="session")
async def leaves(house: House) -> AsyncIterator[list[int]]:
    """How many files a test may leave behind: none, unless it says so."""
    before, more = files(house), [0]
    yield more
    assert len(files(house)) - len(before) == more[0]
    assert not list((house.settings.node.home / "blobs" / ".incoming").iterdir())
    assert not house.ports(DocumentPorts).uploads.total


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def eve(house: House) -> Person:
    """Somebody who is only ever refused."""
    return await house.person()


def upload_path(person: Person) -> str:
    return f"/knowledge/{person.base}/documents/upload"


async def submitted(house: House, person: Person, document_id: str) -> Document:
    document: Document = (await first_event(house.settings, DOCUMENTS_SUBMITTED, key_of(house, person, document_id))).data
    return document


async def test_uploaded(house: House, ada: Person, leaves: list[int]):
    """On the log with the place, size and hash of its file, its password sealed; followed like any document."""
    leaves[0] = 1
    answer = await ada.call(
        "POST",
        upload_path(ada),
        data={"title": "Rules", "password": "hunter2", "metadata": '{"by": "hr"}', "document_id": "rules 2026"},
        files={"file": ("C:\\docs\\年假 rules.pdf", PDF, "application/pdf")},
    )
    assert answer.status_code == 202, answer.text
    document = await submitted(house, ada, "rules 2026")
    assert isinstance(document.blob, Blob)
    assert (document.blob.bytes, document.blob.sha256) == (len(PDF), hashlib.sha256(PDF).hexdigest())
    assert (document.title, document.filename, document.media_type) == ("Rules", "年假 rules.pdf", "application/pdf")
    assert document.metadata == {"by": "hr"}
    assert document.submitted_by == ada.user["id"]
    async with house.ports(DocumentPorts).blobs.local_path(document.blob) as path:
        assert path.read_bytes() == PDF
    key = key_of(house, ada, "rules 2026")
    assert "hunter2" not in document.sealed_password
    assert decrypt(house.settings.auth.secret.reveal(), document.sealed_password, context=key) == "hunter2"
    followed = await house.client.get(answer.headers["location"], headers=ada.headers)
    assert (followed.json()["state"], followed.json()["bytes"]) == ("queued", len(PDF))


async def test_fields_may_follow_the_file_or_be_left_out(house: House, ada: Person, leaves: list[int]):
    """A type nobody knows is left to the content; a charset of the part is kept; empty inputs say nothing."""
    leaves[0] = 1
    boundary, parts = form(
        part("file", b"caf\xe9", filename="a.txt", kind="application/x-made-up; charset=latin-1"),
        part("document_id", b""),
        part("title", b""),
    )
    answer = await ada.call("POST", upload_path(ada), content=parts, headers={"content-type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status_code == 202, answer.text
    document_id = answer.json()["document_id"]
    document = await submitted(house, ada, document_id)
    assert (document.title, document.media_type, document.charset, document.filename) == (document_id, "", "latin-1", "a.txt")
    assert not document.sealed_password


async def test_the_same_file_again_is_the_same_document(house: House, ada: Person, leaves: list[int]):
    """Without an id it is known by name and content; a title given before stays; until it is read it is called by its file's name."""
    leaves[0] = 5

    async def sent(name: str, content: bytes, **fields: str) -> dict[str, Any]:
        answer = await ada.call("POST", upload_path(ada), data=fields, files={"file": (name, content, "application/pdf")})
        assert answer.status_code == 202, answer.text
        followed = await house.client.get(answer.headers["location"], headers=ada.headers)
        return {"id": answer.json()["document_id"], "title": followed.json()["title"]}

    first, again = await sent("tides.pdf", PDF + b"1"), await sent("tides.pdf", PDF + b"1")
    assert first == again == {"id": first["id"], "title": "tides.pdf"}
    others = [await sent("moon.pdf", PDF + b"1"), await sent("tides.pdf", PDF + b"2", title="Tides")]
    assert len({first["id"], *(each["id"] for each in others)}) == 3
    assert await sent("tides.pdf", PDF + b"2") == others[1]
    assert others[1]["title"] == "Tides"


@pytest.mark.parametrize(
    ("parameter", "title"),
    [
        ('filename="价目表.csv"'.encode("gbk"), "价目表.csv"),
        (b"filename*=UTF-8''%E4%BB%B7%E7%9B%AE%E8%A1%A8.csv", "价目表.csv"),
        (b'filename="%E4%BB%B7%E7%9B%AE%E8%A1%A8.csv"', "价目表.csv"),
        (b'filename="C:\\temp\\a.csv"', "a.csv"),
    ],
)
async def test_names_in_the_clients_own_form(house: House, ada: Person, leaves: list[int], parameter: bytes, title: str):
    """The name as people see it, and the type with it; other names of a type are known."""
    leaves[0] = 1
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; ' + parameter + b"\r\nContent-Type: application/csv\r\n\r\n"
    body = head + "品名,单价\n灯,3\n".encode() + b"\r\n--edge--\r\n"
    answer = await ada.call("POST", upload_path(ada), content=body, headers={"content-type": "multipart/form-data; boundary=edge"})
    assert answer.status_code == 202, answer.text
    document = await submitted(house, ada, answer.json()["document_id"])
    assert (document.filename, document.media_type) == (title, "text/csv")


async def test_a_form_that_is_none_is_refused_in_words(house: House, ada: Person, leaves: list[int]):
    body = b"--edge\r\n\xff\xfe\r\n\r\nx\r\n--edge--\r\n"
    answer = await ada.call("POST", upload_path(ada), content=body, headers={"content-type": "multipart/form-data; boundary=edge"})
    is_problem(answer, 400, "upload_incomplete")
    assert "Error" not in answer.text
    assert "(" not in answer.json()["detail"]


async def test_streamed_in_small_pieces(house: House, ada: Person, leaves: list[int]):
    """Whatever the pieces, across boundaries too, and larger than any other body may be."""
    leaves[0] = 1
    data = (b"\r\n--almost" + os.urandom(50)) * 50_000
    boundary, body = form(part("document_id", b"pieces"), part("file", data, filename="a.bin"))

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:7]
        for start in range(7, len(body), 64_001):
            yield body[start : start + 64_001]

    answer = await ada.call(
        "POST", upload_path(ada), content=pieces(), headers={"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    assert answer.status_code == 202, answer.text
    document = await submitted(house, ada, "pieces")
    assert document.blob is not None
    assert document.blob.sha256 == hashlib.sha256(data).hexdigest()


async def test_same_key_uploads_once(house: House, ada: Person, leaves: list[int]):
    """The same form gives the same answer and keeps one file; another file, field or password is another request."""
    leaves[0] = 1
    headers = {"idempotency-key": "k"}

    async def send(content: bytes = PDF, **data: str) -> httpx.Response:
        return await ada.call("POST", upload_path(ada), headers=headers, data=data, files={"file": ("a.pdf", content)})

    first = await send(password="one")
    again = await send(password="one")
    assert first.status_code == 202, first.text
    assert (again.json(), again.headers["location"]) == (first.json(), first.headers["location"])
    is_problem(await send(PDF + b"x", password="one"), 409, "idempotency_conflict")
    is_problem(await send(password="two"), 409, "idempotency_conflict")
    is_problem(await send(password="one", title="x"), 409, "idempotency_conflict")
    subject = key_of(house, ada, first.json()["document_id"])
    assert len(await all_events(house.settings, DOCUMENTS_SUBMITTED, subject, 1)) == 1


async def test_the_owner_is_known_before_a_byte_is_read(house: House, ada: Person, bob: Person, leaves: list[int], monkeypatch):
    """Somebody else's knowledge base, or nobody's form, never reaches the reading of it."""

    async def never(*_: object) -> None:
        pytest.fail("the form was read")

    monkeypatch.setattr("api.documents.uploads.read_form", never)
    is_problem(await bob.call("POST", upload_path(ada), files={"file": ("a", b"x")}), 404, "not_found")
    is_problem(await house.client.post(f"/api/v1{upload_path(ada)}", files={"file": ("a", b"x")}), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"document_id": "a/b"}, "document_id"),
        ({"document_id": "a\u2028"}, "document_id"),
        ({"document_id": "x" * 201}, "document_id"),
        ({"title": "x" * 501}, "title"),
        ({"title": "x" * 9_000}, "title"),
        ({"media_type": "video/mp4"}, "media_type"),
        ({"password": "x" * 501}, "password"),
        ({"metadata": "{"}, "metadata"),
        ({"metadata": "[]"}, "metadata"),
        ({"metadata": '{"a": 1}'}, "metadata[...]"),
        ({"metadata": json.dumps({"a": "x" * 70_000})}, "metadata"),
        ({"tenant": "other"}, "tenant"),
        ({"title": ["a", "b"]}, "title"),
    ],
)
async def test_what_is_no_form(eve: Person, leaves: list[int], data: dict[str, Any], field: str):
    """Named, with the field and what would have been accepted."""
    problem = is_problem(await eve.call("POST", upload_path(eve), data=data, files={"file": ("a.pdf", PDF)}), 422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["limit"]


async def test_one_file_with_something_in_it(eve: Person, leaves: list[int]):
    two = await eve.call("POST", upload_path(eve), files=[("file", ("a.pdf", PDF)), ("file", ("b.pdf", PDF))])
    assert is_problem(two, 422, "validation_failed")["errors"][0]["field"] == "file"
    none = await eve.call("POST", upload_path(eve), files={"title": (None, b"x")})
    assert is_problem(none, 422, "validation_failed")["errors"][0]["field"] == "file"
    empty = await eve.call("POST", upload_path(eve), files={"file": ("a.pdf", b"")})
    assert is_problem(empty, 422, "document_empty")["errors"][0]["field"] == "file"
    bad_utf8 = await eve.call("POST", upload_path(eve), files={"file": ("a.pdf", PDF), "title": (None, b"\xff")})
    assert is_problem(bad_utf8, 422, "validation_failed")["errors"][0]["field"] == "title"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("", b"x", 415, "unsupported_media_type"),
        ("multipart/form-data", b"x", 400, "upload_incomplete"),
        ("multipart/form-data; boundary=b", b"", 400, "upload_incomplete"),
        ("multipart/form-data; boundary=b", b"no form at all", 400, "upload_incomplete"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nhalf", 400, "upload_incomplete"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n", 400, "upload_incomplete"),
        ("multipart/form-data; boundary=b", b"p" * 700_000, 400, "upload_incomplete"),
    ],
)
async def test_what_cannot_be_read(eve: Person, leaves: list[int], content_type: str, body: bytes, status: int, code: str):
    is_problem(await eve.call("POST", upload_path(eve), content=body, headers={"content-type": content_type}), status, code)


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large(house: House, eve: Person, leaves: list[int], announced: bool):
    """Refused by what is announced, or as soon as the limit is passed; the answer names limit and remedy."""
    body = form(part("file", os.urandom(2_000_000), filename="a"))[1]

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with opened(replace(house.settings, documents=DocumentSettings(file_bytes_max=1_000_000))) as small:
        answer = await small.client.post(
            f"/api/v1{upload_path(eve)}",
            content=body if announced else pieces(),
            headers=eve.headers | {"content-type": "multipart/form-data; boundary=b"},
        )
    problem = is_problem(answer, 413, "document_too_large")
    assert "1,000,000" in problem["detail"]
    assert "CLAW_DOCUMENT_FILE_BYTES_MAX" in problem["detail"]


async def test_a_client_that_leaves_in_the_middle(house: House, ada: Person, leaves: list[int]):
    """Half a form on a real socket, then nothing."""
    url = house.client.base_url
    _reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /api/v1{upload_path(ada)} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ada.token}\r\n"
    head += "content-type: multipart/form-data; boundary=b\r\ncontent-length: 9000000\r\n\r\n"
    writer.write(head.encode() + form(part("file", b"x" * 600_000, filename="a"))[1][:500_000])
    await writer.drain()
    async with asyncio.timeout(5):
        while not house.ports(DocumentPorts).uploads.total:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        writer.transport.abort()
        while house.ports(DocumentPorts).uploads.total:
            await asyncio.sleep(0.01)


async def test_a_client_that_says_nothing_more(eve: Person, leaves: list[int], monkeypatch):
    monkeypatch.setattr("api.http.multipart.IDLE_S_MAX", 0.2)

    async def pieces() -> AsyncIterator[bytes]:
        yield form(part("file", b"x" * 1_000, filename="a"))[1][:500]
        await asyncio.sleep(1.5)
        yield b""

    answer = await eve.call("POST", upload_path(eve), content=pieces(), headers={"content-type": "multipart/form-data; boundary=b"})
    is_problem(answer, 400, "upload_incomplete")


async def test_room_is_bounded(eve: Person, leaves: list[int], monkeypatch):
    monkeypatch.setattr("api.documents.uploads.UPLOADS_PER_ACCOUNT_MAX", 0)
    answer = await eve.call("POST", upload_path(eve), files={"file": ("a.pdf", PDF)})
    is_problem(answer, 503, "overloaded")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(("code", "left"), [("kafka_unavailable", 1), ("overloaded", 0)])
async def test_a_log_that_may_have_taken_it(eve: Person, leaves: list[int], monkeypatch, code: str, left: int):
    """The event may be there although nobody said so: then the file it names must be, too."""
    leaves[0] = left

    async def refuse(*_: object) -> None:
        raise Unavailable(code)

    monkeypatch.setattr("api.documents.uploads.submit_document", refuse)
    is_problem(await eve.call("POST", upload_path(eve), files={"file": ("a.pdf", PDF)}), 503, code)


async def test_page(house: House, ada: Person):
    """On the log with its address; a new id when none is given; the same key gives the same answer."""
    headers = {"idempotency-key": "page"}
    body = {"url": "https://example.com/handbook?x=1", "metadata": {"by": "hr"}}
    answer = await ada.call("POST", f"/knowledge/{ada.base}/documents/url", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    document = await submitted(house, ada, answer.json()["document_id"])
    assert (document.url, document.text, document.blob, document.media_type) == (body["url"], "", None, "")
    assert document.metadata == {"by": "hr"}
    again = await ada.call("POST", f"/knowledge/{ada.base}/documents/url", json=body, headers=headers)
    assert again.json() == answer.json()
    named = await ada.call("POST", f"/knowledge/{ada.base}/documents/url", json=body | {"document_id": "book", "title": "Book"})
    assert named.json()["document_id"] == "book"
    assert (await submitted(house, ada, "book")).title == "Book"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/a", "url_refused"),
        ("file:///etc/passwd", "url_refused"),
        ("https://user:pw@example.com/", "url_refused"),
        ("http://127.0.0.1/", "url_refused"),
        ("http://169.254.169.254/latest/meta-data", "url_refused"),
        ("http://example.com:8080/", "url_refused"),
        ("http://2130706433/", "url_refused"),
        ("https:///nothing", "url_refused"),
        ("https://" + "x" * 2_050, "validation_failed"),
        ("", "validation_failed"),
    ],
)
async def test_addresses_that_are_refused_at_the_door(eve: Person, url: str, code: str):
    problem = is_problem(await eve.call("POST", f"/knowledge/{eve.base}/documents/url", json={"url": url}), 422, code)
    assert problem["errors"][0]["field"] == "url"
    assert problem["errors"][0]["limit"]


async def test_somebody_elses_base(ada: Person, bob: Person):
    answer = await bob.call("POST", f"/knowledge/{ada.base}/documents/url", json={"url": "https://example.com/"})
    is_problem(answer, 404, "not_found")


async def test_described(house: House):
    """The form is in the documentation."""
    document = (await house.client.get("/schema/openapi.json")).json()
    operation = document["paths"]["/api/v1/knowledge/{knowledge_base_id}/documents/upload"]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["required"] == ["file"]
    assert set(schema["properties"]) == {"file", "document_id", "title", "media_type", "password", "metadata"}
    assert "202" in operation["responses"]


def part(name: str, value: bytes, filename: str = "", kind: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return (head + (f"\r\nContent-Type: {kind}" if kind else "")).encode() + b"\r\n\r\n" + value


def form(*parts: bytes) -> tuple[str, bytes]:
    return "b", b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + b"--b--\r\n"
