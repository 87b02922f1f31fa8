"""Statistics through the door, over counters that the test feeds as the agents do: who sees what, and what the rows say."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from api.core import Core
from api.statistics.ports import StatisticsPorts
from domain.statistics.table import StatisticsSource
from schemas import ids
from schemas.chats import Consumption, Feedback, FeedbackGiven, RatingBefore, UsageRecorded
from schemas.events import Event
from streams.log.range_reader import LogRecord
from streams.tables.counters import ApplyResult
from tests.support.api_people import colleague, promoted, tenant_of
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import TRACE

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def counted(person: Person, kind: type[Event], data: Any, *, days_ago: int = 0) -> None:
    """An event of this person, counted."""
    ports = person.house.ports(StatisticsPorts)
    sources: dict[type[Event], StatisticsSource] = {UsageRecorded: ports.table.usage, FeedbackGiven: ports.table.feedback}
    source, at = sources[kind], person.house.ports(Core).clock.now() - timedelta(days=days_ago)
    offset = await source.counter.mark(0) + 1
    event_id = ids.derive("statistics-test", source.counter.name, offset)
    event = kind(id=event_id, source="/claw/test", subject="s", time=at, tenant=tenant_of(person), traceparent=TRACE, data=data)
    changes = source.decode(LogRecord(offset, msgspec.json.encode(event)))
    assert changes is not None
    assert await source.counter.apply(0, offset, *changes) == ApplyResult(counted=True)


async def asked(person: Person, *, days_ago: int = 0, **fields: Any) -> None:
    spent = {
        "user_id": person.user["id"],
        "conversation_id": "c",
        "reply_id": "r",
        "model": "m",
        "prompt_tokens": 5,
        "completion_tokens": 2,
    }
    await counted(person, UsageRecorded, Consumption(**(spent | {"ended": "answered"} | fields)), days_ago=days_ago)


async def rated(person: Person, rating: Any, **fields: Any) -> None:
    own = {"user_id": person.user["id"], "conversation_id": "c", "reply_id": "r", "model": "m", "knowledge_base_ids": (person.base,)}
    await counted(person, FeedbackGiven, Feedback(rating=rating, **(own | fields)))


async def read(person: Person, path: str) -> dict[str, Any]:
    answer = await person.call("GET", path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_everybody_sees_their_own_an_admin_the_tenant_and_nobody_another_tenant(house: House) -> None:
    ada, eve = await house.person(), await house.person()
    tenant = await promoted(house, ada, "admin")
    await promoted(house, eve, "admin")
    bob = await colleague(house, ada)
    await asked(ada, days_ago=1)
    await asked(ada, ended="not_found")
    await asked(bob, ended="failed", prompt_tokens=0, completion_tokens=0)
    await asked(eve)
    await rated(bob, "down", tags=("outdated", "my name is Bob"))
    await rated(bob, "up", replaces=RatingBefore(rating="down", tags=("outdated", "my name is Bob")))
    await rated(ada, "down", tags=("outdated",))
    own = await read(bob, "/users/me/usage/statistics")
    assert (own["total"]["active_accounts"], own["total"]["counts"]["questions"], own["total"]["counts"]["failed"]) == (None, 1, 1)
    assert own["retention"] == own["reasons"] == [] or own["retention"] == []
    seen = await read(ada, "/usage/statistics")
    today, yesterday = seen["items"][-1], seen["items"][-2]
    assert (yesterday["active_accounts"], today["active_accounts"], seen["total"]["active_accounts"]) == (1, 2, 2)
    assert (today["exact"], seen["total"]["counts"]["questions"], seen["total"]["counts"]["not_found"]) == (True, 3, 1)
    assert (seen["total"]["counts"]["up_share"], seen["reasons"]) == (0.5, {"outdated": {"up": 0, "down": 1}})
    assert seen["knowledge_bases"][ada.base]["feedback_down"] == 1
    assert seen["models"]["m"]["feedback_up"] == 1
    assert "Bob" not in str(seen)
    one = await read(ada, f"/usage/statistics?user={ada.user['id']}&by=month")
    assert (sum(each["counts"]["questions"] for each in one["items"]), one["total"]["registered_accounts"]) == (2, None)
    stranger = await read(eve, f"/usage/statistics?user={ada.user['id']}")
    assert stranger["total"]["counts"]["questions"] == 0
    assert (await read(eve, "/usage/statistics"))["total"]["counts"]["questions"] == 1
    assert is_problem(await ada.call("GET", "/usage/statistics?all=true"), 403, "forbidden")
    assert is_problem(await bob.call("GET", "/usage/statistics"), 403, "forbidden")
    assert tenant != tenant_of(eve)


async def test_an_operator_sees_the_installation_and_the_rows_are_a_file(house: House) -> None:
    ada, root = await house.person(), await house.person()
    await promoted(house, root)
    await asked(ada)
    everything = await read(root, "/usage/statistics?all=true&by=week")
    assert everything["total"]["counts"]["questions"] >= 1
    assert everything["knowledge_bases"] == {}
    file = await root.call("GET", "/usage/statistics/export?all=true")
    head, *lines = file.text.splitlines()
    assert (file.headers["content-type"].partition(";")[0], head.split(",")[:3]) == ("text/csv", ["start", "end", "active_accounts"])
    assert (len(lines), int(lines[-1].split(",")[2]) >= 1, lines[-1].split(",")[4]) == (30, True, "true")


async def test_days_that_are_not_kept_are_refused(house: House) -> None:
    ada = await house.person()
    for query, field in (("from=2020-01-01", "query.from"), ("to=2020-01-01", "query.to"), ("to=2999-01-01", "query.to"), ("by=year", "")):
        answer = await ada.call("GET", f"/users/me/usage/statistics?{query}")
        assert is_problem(answer, 422, "validation_failed"), query
        assert not field or answer.json()["errors"][0]["field"] == field
