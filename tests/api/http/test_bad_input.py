"""Whatever is sent, the answer is a problem that names the field and the limit, and nothing of ours."""

import asyncio
import uuid

import msgspec
import pytest

from api.core import Core
from tests.support.api_process import WANTED, House, Person, opened
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "code", "status"),
    [
        (b"{", "invalid_request", 400),
        (b'{"title": "\xff"}', "invalid_request", 400),
        (b'{"nothing": "\xff"}', "invalid_request", 400),
        (b"\xff\xfe{", "invalid_request", 400),
        (b"[" * 100_000, "invalid_request", 400),
        (b'{"title": NaN}', "invalid_request", 400),
        (b"1e999", "invalid_request", 400),
        (b'{"title": 1e999}', "invalid_request", 400),
        (b'{"type": "qa", "title": %b}' % (b"9" * 5_000), "invalid_request", 400),
        (b"", "validation_failed", 422),
        (b"[]", "validation_failed", 422),
        (b"null", "validation_failed", 422),
        (b'"x"', "validation_failed", 422),
    ],
)
async def test_bodies_that_are_no_object(ada: Person, content: bytes, code: str, status: int):
    is_problem(await ada.call("POST", "/conversations", content=content, headers=JSON), status, code)


async def test_every_bad_field_is_named_with_its_limit(ada: Person):
    """Unknown, wrong type, too long, too many, bad UUID, bad choice: all in one answer."""
    body = {
        "titel": "x",
        "title": "x" * 201,
        "type": "shouting",
        "system_prompt": 5,
        "knowledge_base_ids": [str(uuid.uuid4()), "nonsense"],
    }
    problem = is_problem(await ada.call("POST", "/conversations", json=body), 422, "validation_failed")
    errors = {error["field"]: error for error in problem["errors"]}
    assert set(errors) == {"titel", "title", "type", "system_prompt", "knowledge_base_ids[1]"}
    assert "title" in errors["titel"]["limit"]
    assert errors["title"]["limit"] == "str of length <= 200"
    assert errors["system_prompt"] == {"field": "system_prompt", "detail": "is int", "limit": "str"}
    many = {"knowledge_base_ids": [str(uuid.uuid4())] * 65}
    problem = is_problem(await ada.call("POST", "/conversations", json=many), 422, "validation_failed")
    assert problem["errors"][0]["limit"] == "array of length <= 64"


async def test_missing_fields(ada: Person):
    problem = is_problem(await ada.call("POST", "/knowledge", json={}), 422, "validation_failed")
    assert problem["errors"] == [{"field": "name", "detail": "is required", "limit": ""}]


@pytest.mark.parametrize("path", ["/conversations/nonsense", "/knowledge/1", "/knowledge/nonsense/documents", "/conversations/%00"])
async def test_bad_uuid(ada: Person, path: str):
    problem = is_problem(await ada.call("GET", path), 422, "validation_failed")
    assert problem["errors"][0]["field"].startswith("path.")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=%20%20", "cursor=" + "x" * 2_000])
async def test_bad_page(ada: Person, query: str):
    problem = is_problem(await ada.call("GET", f"/conversations?{query}"), 422, "validation_failed")
    assert query.split("=", maxsplit=1)[0] in problem["errors"][0]["field"]


async def test_other_content_types(ada: Person):
    answer = await ada.call("POST", "/conversations", content=b"title=x", headers={"content-type": "application/x-www-form-urlencoded"})
    is_problem(answer, 415, "unsupported_media_type")


async def test_no_such_route_or_method(house: House, ada: Person):
    for path in ("/nothing", "/api/v1/nothing", "/schema/nothing"):
        body = is_problem(await house.client.get(path), 404, "not_found")
        assert path in body["detail"], "a route that does not exist is not told as a record that does not"
    answer = await ada.call("PUT", "/conversations")
    is_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("key", ["", "ü", "x" * 256, "a\tb"])
async def test_bad_idempotency_key(ada: Person, key: str):
    answer = await ada.call("POST", "/conversations", json={}, headers={"idempotency-key": key.encode()})  # type: ignore[dict-item]
    problem = is_problem(answer, 422, "validation_failed")
    assert problem["errors"][0]["field"] == "Idempotency-Key"


async def test_request_id_and_trace(house: House):
    """A sane id of the client's is taken over; anything else gets ours."""
    answer = await house.client.get("/livez", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    for insane in ("a b", "x" * 129, "<script>"):
        answer = await house.client.get("/livez", headers={"x-request-id": insane})
        assert uuid.UUID(answer.headers["x-request-id"])


async def raw(house: House, head: bytes, body: bytes) -> bytes:
    """What the server says to bytes on a socket."""
    url = house.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(head + b"\r\n\r\n" + body)
    try:
        async with asyncio.timeout(5):
            return await reader.read(4_096)
    finally:
        writer.close()


async def test_too_large_is_refused_before_it_is_read(house: House, ada: Person):
    """By its announced length without a byte of it; chunked as soon as the count passes the limit, without waiting for the end."""
    head = b"POST /api/v1/conversations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer %b\r\n"
    announced = await raw(house, head % ada.token.encode() + b"content-length: 1048577", b"")
    assert b" 413 " in announced.split(b"\r\n")[0]
    assert b"body_too_large" in announced
    chunk = b"%x\r\n%b\r\n" % (65_536, b"x" * 65_536)
    chunked = await raw(house, head % ada.token.encode() + b"transfer-encoding: chunked", chunk * 17)  # never ended
    assert b" 413 " in chunked.split(b"\r\n")[0]


async def test_what_breaks_here_stays_here(house: House, ada: Person, monkeypatch):
    """A bug answers 500 without a word of it."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password of the database is hunter2")

    monkeypatch.setattr(house.ports(Core).read_models.conversations, "list", broken)
    answer = await ada.call("GET", "/conversations")
    is_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_small_body_limit(api_settings):
    """The limit is a setting."""
    assert WANTED
    settings = msgspec.structs.replace(api_settings, limits=msgspec.structs.replace(api_settings.limits, body_bytes_max=1_024))
    async with opened(settings) as house:
        answer = await house.client.post("/api/v1/auth/login", content=b"x" * 1_025, headers=JSON)
        is_problem(answer, 413, "body_too_large")
