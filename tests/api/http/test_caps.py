"""Caps over HTTP: exact over two replicas, refused by name, and free again when what was held is over."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest
import pytest_asyncio

from schemas.settings import CapSettings, Settings
from tests.support.api_process import House, Person, opened, with_limits
from tests.support.problems import is_problem
from tests.support.sockets import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

CAPS = CapSettings(
    free_streams_max=3,
    free_sockets_max=2,
    free_uploads_max=1,
    free_conversations_max=4,
    free_knowledge_bases_max=3,
    free_documents_max=3,
    free_stored_bytes_max=1_000,
    free_idempotency_bytes_max=2_000,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replicas(api_settings: Settings) -> AsyncIterator[tuple[House, House]]:
    """Two processes of one installation with small caps."""
    settings = msgspec.structs.replace(with_limits(api_settings, enabled=False), caps=CAPS)
    async with opened(settings) as one, opened(settings) as other:
        yield one, other


@pytest_asyncio.fixture(loop_scope="session")
async def both(replicas: tuple[House, House]) -> tuple[Person, Person]:
    """Somebody new, at both."""
    person = await replicas[0].person()
    return person, Person(replicas[1], person.token, person.user, person.email)


async def at_once(both: tuple[Person, Person], count: int, method: str, path: str, **rest: object) -> list[httpx.Response]:
    return list(await asyncio.gather(*(both[n % 2].call(method, path, **rest) for n in range(count))))  # type: ignore[arg-type]


async def test_conversations_and_knowledge_bases(both: tuple[Person, Person]):
    """Twelve at once at two replicas: exactly as many as the cap; a deleted one makes room."""
    for path, body, code, limit in (
        ("/conversations", {"title": "a"}, "conversations_full", 4),
        ("/knowledge", {"name": "a"}, "knowledge_bases_full", 3 - 1),  # beside the default one
    ):
        answers = await at_once(both, 12, "POST", path, json=body)
        assert sorted(answer.status_code for answer in answers) == [201] * limit + [409] * (12 - limit)
        refused = next(answer for answer in answers if answer.status_code == 409)
        said = is_problem(refused, 409, code)
        assert f"of {4 if limit == 4 else 3} " in said["detail"]
        assert "CLAW_CAP_FREE_" in said["detail"]
        assert said["remedy_zh"]
        made = next(answer.json()["id"] for answer in answers if answer.status_code == 201)
        assert (await both[1].call("DELETE", f"{path}/{made}")).status_code == 204
        assert (await both[0].call("POST", path, json=body)).status_code == 201


async def test_documents_and_bytes(both: tuple[Person, Person]):
    """By number and by size; another version of one that is there is no other document."""
    path = f"/knowledge/{both[0].base}/documents"
    answers = await at_once(both, 8, "POST", path, json={"text": "ten bytes!"})
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [409] * 5
    refused = next(answer for answer in answers if answer.status_code == 409)
    said = is_problem(refused, 409, "documents_full")
    assert said["detail"] == "this account has 3 of 3 documents (CLAW_CAP_FREE_DOCUMENTS_MAX)"
    known = next(answer.json()["document_id"] for answer in answers if answer.status_code == 202)
    assert (await both[1].call("PUT", f"{path}/{known}", json={"text": "x" * 900})).status_code == 202
    said = is_problem(await both[0].call("PUT", f"{path}/{known}", json={"text": "x" * 990}), 409, "storage_full")
    assert "920 of 1000 bytes of documents" in said["detail"]


async def test_streams_of_all_replicas_until_they_end(both: tuple[Person, Person]):
    """The fourth is refused before its head; over a WebSocket, too; a client that leaves makes room."""
    path = f"/api/v1/knowledge/{both[0].base}/events"
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        for n in range(3):
            person = both[n % 2]
            at = first if n == 0 else stack
            answer = await at.enter_async_context(person.house.client.stream("GET", path, headers=person.headers))
            assert answer.status_code == 200
        refused = await both[1].call("GET", f"/knowledge/{both[0].base}/events")
        assert is_problem(refused, 429, "too_many_streams")["rule"] == "account_streams"
        assert refused.headers["retry-after"] == "1"
        async with connected(both[0].house, both[0]) as wire:
            assert (await wire.problem("watch", knowledge_base_id=both[0].base))["code"] == "too_many_streams"
            await first.aclose()
            async with asyncio.timeout(10):
                while (await wire.next(await wire.send("watch", knowledge_base_id=both[0].base)))["type"] != "opened":
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(10):  # the connection with its stream has ended
            while True:
                async with both[1].house.client.stream("GET", path, headers=both[1].headers) as again:
                    if again.status_code == 200:
                        break


async def test_sockets_of_all_replicas(both: tuple[Person, Person]):
    async with connected(both[0].house, both[0]), connected(both[1].house, both[1]), connected(both[0].house) as wire:
        assert (await wire.problem("authenticate", token=both[0].token))["code"] == "too_many_sockets"


async def test_uploads_under_way(both: tuple[Person, Person]):
    """One that drips at one replica leaves no room for another at the other."""
    path = f"/api/v1/knowledge/{both[0].base}/documents/upload"
    going, begun = asyncio.Event(), asyncio.Event()

    async def form() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nten bytes!'
        begun.set()
        await going.wait()
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    first = asyncio.create_task(both[0].house.client.post(path, content=form(), headers=both[0].headers | headers))
    await begun.wait()
    async with asyncio.timeout(10):
        while True:
            answer = await both[1].call("POST", path.removeprefix("/api/v1"), files={"file": ("b.txt", b"b")})
            if answer.status_code == 429:
                break
    is_problem(answer, 429, "too_many_uploads")
    going.set()
    assert (await first).status_code == 202


async def test_bytes_behind_idempotency_keys(both: tuple[Person, Person]):
    """What is kept is bounded; a repeat of what was accepted is answered, a new key is refused and stays unused."""
    ask = {"json": {"name": "x" * 100}}
    answers = [await both[n % 2].call("POST", "/api-keys", headers={"idempotency-key": f"k{n}"}, **ask) for n in range(9)]
    codes = [answer.status_code for answer in answers]
    assert codes[0] == 201
    assert codes[-1] == 429
    said = is_problem(answers[-1], 429, "idempotency_full")
    assert "of 2000 bytes kept" in said["detail"]
    assert (await both[1].call("POST", "/api-keys", headers={"idempotency-key": "k0"}, **ask)).status_code == 201
    assert (await both[1].call("POST", "/api-keys", **ask)).status_code == 201
    assert json.loads(answers[0].content)["name"] == "x" * 100
