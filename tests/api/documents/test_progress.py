"""Progress as events: a snapshot of what is true now, then every step; bounded, walled, and only while somebody watches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.core import Core
from api.documents.ports import DocumentPorts
from api.documents.watch import group_of
from api.http.ports import HttpPorts
from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas import ids
from schemas.documents import DocumentProgressed, Note, Progress, State
from schemas.errors import Refused
from streams.log.outgoing import Outgoing
from tests.support.api_people import key_of
from tests.support.api_process import House, Person, Sent, events, opened, with_limits
from tests.support.problems import is_problem
from tests.support.reply_speaker import TRACE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def say(house: House, person: Person, document: str, version: int, state: State, *, show: bool = False, **more: Any) -> None:
    """A step of a document as its agent tells it; ``show``: the tables have it, too."""
    key = key_of(house, person, document)
    progress = Progress(knowledge_base_id=person.base, document_id=document, version=version, state=state, title=document.title(), **more)
    event = DocumentProgressed(
        id=ids.derive("test", key, version, state, str(more)),
        source="/claw/test",
        subject=key,
        time=house.ports(Core).clock.now(),
        tenant=key.partition("/")[0],
        traceparent=TRACE,
        data=progress,
    )
    place = await house.ports(Core).publisher.publish(Outgoing(DOCUMENTS_PROGRESSED, event))
    if show:
        await house.ports(Core).read_models.apply(event, place)


@asynccontextmanager
async def watching(house: House, person: Person, base: str = "") -> AsyncIterator[AsyncIterator[Sent]]:
    path = f"/api/v1/knowledge/{base or person.base}/events"
    async with house.client.stream("GET", path, headers=person.headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        yield events(answer)


async def nth(stream: AsyncIterator[Sent], name: str) -> dict[str, Any]:
    """The data of the next event of this name."""
    async with asyncio.timeout(10):
        while (sent := await anext(stream)).event != name:
            assert sent.id
        assert sent.id
    return sent.data


async def test_how_things_stand_then_every_step(house: House, ada: Person):
    await ada.call("PUT", f"/knowledge/{ada.base}/documents/new", json={"text": "x"})
    await say(house, ada, "old", 3, "indexed", show=True, chunks=2)
    async with watching(house, ada) as stream:
        snapshot = await nth(stream, "snapshot")
        assert (snapshot["documents"], snapshot["counts"], snapshot["complete"]) == (2, {"queued": 1, "indexed": 1}, True)
        assert [(each["document_id"], each["state"], each["percent"]) for each in snapshot["open"]] == [("new", "queued", 0)]
        version = snapshot["open"][0]["version"]
        await say(house, ada, "new", version, "embedding", chunks=10, done=5, lane="bulk")
        step = await nth(stream, "progress")
        assert (step["state"], step["percent"], step["chunks"], step["done"], step["lane"]) == ("embedding", 59, 10, 5, "bulk")
        assert (step["title"], step["version"], step["estimated_wait_s"]) == ("New", version, None)
        await say(house, ada, "new", version, "indexed", chunks=10, done=10, notes=(Note("page_unreadable", "pages 3, 7"),))
        step = await nth(stream, "progress")
        assert (step["percent"], step["notes"]) == (100, [{"code": "page_unreadable", "detail": "pages 3, 7"}])
        await say(house, ada, "old", 9, "deleted", removed=2)
        step = await nth(stream, "progress")
        assert (step["document_id"], step["state"], step["removed"]) == ("old", "deleted", 2)


async def test_a_failure_is_told_in_both_languages(house: House, ada: Person):
    async with watching(house, ada) as stream:
        await nth(stream, "snapshot")
        await say(house, ada, "scan", 4, "failed", cause=Refused("ocr_required", "5 pages are pictures").problem())
        problem = (await nth(stream, "progress"))["problem"]
    assert (problem["code"], problem["detail"]) == ("ocr_required", "5 pages are pictures")
    assert all(problem[name] for name in ("title", "remedy", "title_zh", "remedy_zh"))


async def test_the_snapshot_is_ahead_of_tables_that_lag(house: House, ada: Person):
    """What the log said before anybody watched is known, although no table has it yet; what it said of other bases is not."""
    await say(house, ada, "a", 5, "parsing", show=True)
    await say(house, ada, "a", 5, "indexed", chunks=1)
    await say(house, ada, "b", 6, "parsing")
    await say(house, ada, "c", 7, "indexed", show=True)
    await say(house, ada, "c", 8, "deleted")
    async with watching(house, ada) as first, watching(house, ada) as second:
        for stream in (first, second):
            snapshot = await nth(stream, "snapshot")
            assert (snapshot["documents"], snapshot["counts"]) == (2, {"indexed": 1, "parsing": 1})
            assert [each["document_id"] for each in snapshot["open"]] == ["b"]


async def test_missed_records_give_a_fresh_snapshot(house: House, ada: Person):
    async with watching(house, ada) as stream:
        await nth(stream, "snapshot")
        await say(house, ada, "a", 5, "parsing", show=True)
        house.ports(DocumentPorts).progress._mark_all_stale()
        assert (await nth(stream, "snapshot"))["counts"] == {"parsing": 1}


async def test_a_slow_reader_gets_a_snapshot_instead_of_a_backlog(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("api.http.watch.UPDATES_MAX", 3)
    tenant = key_of(house, ada, "").partition("/")[0]
    async with house.ports(DocumentPorts).progress.subscribe(group_of(tenant, ada.base)) as subscriber:
        await house.ports(DocumentPorts).progress.catch_up()
        subscriber.mark_current()
        for version in range(4):
            await say(house, ada, "a", version, "queued")
        async with asyncio.timeout(5):
            while not subscriber.stale:
                await asyncio.sleep(0.02)
        assert await subscriber.next_updates(0.01) == []


async def test_followed_only_while_somebody_watches(api_settings):
    async with opened(with_limits(api_settings, enabled=False)) as house:
        ada = await house.person()
        ports = house.ports

        def seen() -> tuple[bool, int]:
            return ports(DocumentPorts).progress.is_following, ports(HttpPorts).streams.count

        assert seen() == (False, 0)
        async with watching(house, ada) as stream:
            await nth(stream, "snapshot")
            assert seen() == (True, 1)
        async with asyncio.timeout(5):
            while seen() != (False, 0):
                await asyncio.sleep(0.02)


async def test_walls(house: House, ada: Person, bob: Person):
    """Another tenant's is not there; a document of the same name elsewhere is not told of."""
    is_problem(await bob.call("GET", f"/knowledge/{ada.base}/events"), 404, "not_found")
    async with watching(house, ada) as stream:
        await nth(stream, "snapshot")
        await say(house, bob, "a", 5, "indexed")
        await say(house, ada, "b", 6, "indexed")
        assert (await nth(stream, "progress"))["document_id"] == "b"


async def test_silence_is_filled_and_access_looked_at_again(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    """Comments while nothing happens; the stream ends when the knowledge base is gone."""
    monkeypatch.setattr("api.http.watch.HEARTBEAT_S", 0.05)
    base = (await ada.call("POST", "/knowledge", json={"name": "passing"})).json()["id"]
    path = f"/api/v1/knowledge/{base}/events"
    async with asyncio.timeout(10), house.client.stream("GET", path, headers=ada.headers) as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith(":"):
                break
        assert (await ada.call("DELETE", f"/knowledge/{base}")).status_code == 204
        rest = [line async for line in lines]
    assert "event: failed" in rest
    assert any('"not_found"' in line for line in rest)
