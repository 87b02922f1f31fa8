"""A quota or budget that is nearly used makes one notice a period, to whom it concerns."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.core import Core
from api.http.identity import Caller
from api.limits.usage_notices import UsageNotices
from domain.notices.topics import NOTICES_CHANGED
from domain.usage.budget import BudgetState
from schemas.bodies.usage import QuotaView
from streams.log.outgoing import LogOffset, Outgoing
from tests.support.api_people import promoted, tenant_of
from tests.support.api_process import House, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def quota(used: int, resets_at: datetime = TOMORROW) -> QuotaView:
    return QuotaView(measure="messages", period="day", limit=100, used=used, left=100 - used, resets_at=resets_at)


@pytest.fixture
def published(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    async def publish(outgoing: Outgoing) -> LogOffset:
        assert outgoing.topic is NOTICES_CHANGED
        found.append(outgoing.event.data)
        return LogOffset("t", 0, 0)

    monkeypatch.setattr(house.ports(Core).publisher, "publish", publish)
    return found


async def finished(house: House) -> None:
    background = house.ports(Core).background
    while background._tasks:
        await asyncio.sleep(0.01)


async def test_an_account_is_warned_once_a_period_by_whatever_process(house: House, ada: Person, published: list[Any]):
    caller = Caller(ada.user["id"], tenant_of(ada), "user", "free")
    for used in (10, 79):
        UsageNotices(house.ports(Core)).observe_quota(caller, quota(used))
    one, other = UsageNotices(house.ports(Core)), UsageNotices(house.ports(Core))
    for used in (80, 90, 99):
        one.observe_quota(caller, quota(used))
    other.observe_quota(caller, quota(85))
    await finished(house)
    one.observe_quota(caller, quota(81, TOMORROW + timedelta(days=1)))
    await finished(house)
    first, same, next_day = published
    assert (first.kind, first.account_id, first.fields["percent"], first.channels) == (
        *("quota.nearly_used", ada.user["id"]),
        *("80", ("in_app", "mail")),
    )
    assert first.id == same.id != next_day.id, "the same id from another process: the same notice"


async def test_operators_are_warned_of_a_budget(house: House, bob: Person, published: list[Any]):
    await promoted(house, bob)
    notices = UsageNotices(house.ports(Core))
    notices.observe_budget(BudgetState("tokens", "day", 100, 50, TOMORROW), False)
    notices.observe_budget(BudgetState("tokens", "day", 100, 85, TOMORROW), True)
    await finished(house)
    assert bob.user["id"] in {notice.account_id for notice in published}
    assert {(notice.kind, notice.fields["budget"], notice.fields["percent"]) for notice in published} == {
        ("budget.nearly_spent", "tokens_per_day", "85")
    }
