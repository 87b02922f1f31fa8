"""Notices over HTTP: listed, counted, read, streamed; in the reader's language and by the reader's choice."""

import asyncio
from typing import Any

import pytest

from api.core import Core
from domain.notices.notices import new_notice, notice_event
from tests.support.api_people import tenant_of
from tests.support.api_process import House, Person, events
from tests.support.problems import is_problem
from tests.support.sockets import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tell(house: House, person: Person, cause: str, kind: Any = "document.indexed", *, show: bool = True) -> str | None:
    """A notice as the agent makes it; ``show``: the tables have it, too. None when the person wants none."""
    core, account = house.ports(Core), person.user["id"]
    notice = await new_notice(core.read_models, tenant_of(person), account, kind, {"title": cause}, core.clock.now(), cause)
    if notice is None:
        return None
    outgoing = notice_event(notice, "notify", "", core.clock.now())
    if show:
        await core.records.change(outgoing)
    else:
        await core.publisher.publish(outgoing)
    return notice.id


async def listed(person: Person, query: str = "") -> list[str]:
    return [each["fields"]["title"] for each in (await person.call("GET", f"/notices{query}")).json()["items"]]


async def unread(person: Person) -> int:
    return int((await person.call("GET", "/notices/unread")).json()["unread"])


async def test_a_notice_is_listed_counted_and_read_once(house: House, ada: Person, bob: Person):
    """A repeat of its creation neither doubles it nor makes it unread again."""
    first = await tell(house, ada, "a")
    await tell(house, ada, "b")
    assert (await listed(ada), await unread(ada), await listed(bob)) == (["b", "a"], 2, [])
    answer = await ada.call("POST", f"/notices/{first}/read")
    assert answer.json()["read_at"] is not None
    await tell(house, ada, "a")
    assert (await listed(ada), await listed(ada, "?unread=true"), await unread(ada)) == (["b", "a"], ["b"], 1)
    assert (await ada.call("POST", f"/notices/{first}/read")).json()["read_at"] == answer.json()["read_at"]
    is_problem(await bob.call("POST", f"/notices/{first}/read"), 404, "not_found")


async def test_all_are_read_at_once(house: House, ada: Person):
    for number in range(5):
        await tell(house, ada, str(number))
    assert (await ada.call("POST", "/notices/read")).json() == {"read": 5}
    assert (await unread(ada), await listed(ada, "?unread=true")) == (0, [])


async def test_the_reader_chooses_language_and_channels(house: House, ada: Person):
    """By the preferences, else by the request; a kind without a channel makes no notice."""
    await tell(house, ada, "手册")
    (shown,) = (await ada.call("GET", "/notices", {"accept-language": "zh-CN,en;q=0.8"})).json()["items"]
    assert shown["title"] == "《手册》已可检索"
    answer = await ada.call("GET", "/notices/preferences")
    assert answer.json()["channels"]["quota.nearly_used"] == ["in_app", "mail"]
    body = {"language": "zh", "channels": {"document.indexed": [], "document.failed": ["mail"]}}
    changed = await ada.call("PUT", "/notices/preferences", {"if-match": answer.headers["etag"]}, json=body)
    assert changed.json()["channels"]["document.failed"] == ["mail"]
    is_problem(await ada.call("PUT", "/notices/preferences", {"if-match": answer.headers["etag"]}, json=body), 412, "lost_update")
    assert await tell(house, ada, "none") is None
    await tell(house, ada, "by mail only", "document.failed")
    assert await listed(ada) == ["手册"]
    problem = is_problem(await ada.call("PUT", "/notices/preferences", json={"channels": {"weather": ["mail"]}}), 422, "validation_failed")
    assert problem["errors"]


async def test_notices_are_live(house: House, ada: Person):
    """A snapshot, then each as it is created and when it is read elsewhere."""
    await tell(house, ada, "before")
    async with house.client.stream("GET", "/api/v1/notices/stream", headers=ada.headers) as answer, asyncio.timeout(15):
        stream = events(answer)
        snapshot = (await anext(stream)).data
        assert (snapshot["unread"], [each["fields"]["title"] for each in snapshot["newest"]]) == (1, ["before"])
        created = await tell(house, ada, "now", show=False)
        sent = await anext(stream)
        assert (sent.event, sent.data["id"], sent.data["read_at"]) == ("notice", created, None)
        await ada.call("POST", "/notices/read")
        assert (await anext(stream)).data["read_at"] is not None


async def test_the_socket_has_the_same(house: House, ada: Person):
    async with connected(house, ada) as wire:
        frame = await wire.send("notices")
        assert (await wire.next(frame))["type"] == "opened"
        snapshot = await wire.next(frame)
        assert (snapshot["event"], snapshot["data"]) == ("snapshot", {"unread": 0, "newest": []})
        created = await tell(house, ada, "now")
        sent = await wire.next(frame)
        assert (sent["event"], sent["data"]["id"]) == ("notice", created)
