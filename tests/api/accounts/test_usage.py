"""Usage and quotas through the door, over counters that the test feeds as the tables lane does."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from api.accounts.ports import AccountPorts
from api.chats.ports import ChatPorts
from api.core import Core
from api.limits.ports import LimitPorts
from domain.accounts.key_text import PREFIX as KEY_PREFIX
from domain.chats.topics import CHATS_ASKED
from domain.usage.counters import usage_changes
from schemas import ids
from schemas.chats import Consumption, UsageRecorded
from schemas.documents import DocumentProgressed, Progress
from schemas.settings import Settings
from schemas.settings.budget import BudgetSettings
from schemas.settings.quotas import QuotaSettings
from streams.log.partitions import partition_of
from streams.tables.counters import ApplyResult
from tests.support.api_people import promoted, tenant_of
from tests.support.api_process import House, Person, opened, read_metrics, with_limits
from tests.support.problems import is_problem
from tests.support.reply_speaker import TRACE, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def spent(person: Person, **data: Any) -> None:
    """One answer was charged and counted."""
    usage = person.house.ports(LimitPorts).usage
    consumption = {"user_id": person.user["id"], "conversation_id": "c", "reply_id": "r", "model": "m"}
    event = UsageRecorded(
        id=ids.derive("test", uuid.uuid4().hex),
        source="/claw/test",
        subject=person.user["id"],
        time=person.house.ports(Core).clock.now(),
        tenant=tenant_of(person),
        traceparent=TRACE,
        data=Consumption(**{**consumption, "prompt_tokens": 10, "completion_tokens": 2, **data}),
    )
    partition = partition_of(event.subject, usage.partitions)
    offset = await usage.mark(partition) + 1
    assert await usage.apply(partition, offset, event.id, usage_changes(event)) == ApplyResult(counted=True)


async def test_own_usage_in_every_window(ada: Person, bob: Person) -> None:
    """Sums, models and items agree; nobody sees anybody else's."""
    await spent(ada, cost_micros=5)
    await spent(ada, model="large", prompt_tokens=100)
    for window in ("minute", "hour", "day", "month"):
        answer = await ada.call("GET", f"/users/me/usage?window={window}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["window"] == window
        assert body["total"] == {
            "messages": 2,
            "cached": 0,
            "prompt_tokens": 110,
            "completion_tokens": 4,
            "reasoning_tokens": 0,
            "cached_tokens": 0,
            "cost_micros": 5,
        }
        assert body["models"]["large"]["prompt_tokens"] == 100
        assert sum(item["total"]["prompt_tokens"] for item in body["items"]) == 110
        assert body["quotas"] == []
    assert (await bob.call("GET", "/users/me/usage")).json()["items"] == []


async def test_a_stretch_of_time(ada: Person) -> None:
    """``from`` is included, ``to`` is not; neither may be nonsense."""
    await spent(ada)
    now = datetime.now(UTC)
    tomorrow, midnight = quote((now + timedelta(days=1)).isoformat()), now.replace(hour=0, minute=0, second=0, microsecond=0)
    path = "/users/me/usage?window=day"
    today = (await ada.call("GET", f"{path}&from={quote(midnight.isoformat())}&to={tomorrow}")).json()
    assert [datetime.fromisoformat(item["start"]) for item in today["items"]] == [midnight]
    assert (await ada.call("GET", f"{path}&to={quote(midnight.isoformat())}")).json()["items"] == []
    for bad in ("window=year", "from=yesterday", f"from={tomorrow}", "from=2026-01-01T00:00:00", "window=minute&from=2020-01-01T00:00:00Z"):
        is_problem(await ada.call("GET", f"/users/me/usage?{bad}"), 422, "validation_failed")
    for end in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        answer = await ada.call("GET", "/users/me/usage", params={"window": "month", "to": end})
        assert (answer.status_code, answer.json()["items"]) == (200, []), end


async def test_an_api_key_is_counted_apart(house: House, ada: Person, bob: Person) -> None:
    """The question says which key asked; its owner sees what it spent, nobody else does."""
    made = (await ada.call("POST", "/api-keys", json={"name": "import"})).json()
    key = made["key"]
    assert key.startswith(KEY_PREFIX)
    conversation = await ada.conversation()
    path = f"/api/v1/conversations/{conversation}/messages"
    asked = await house.client.post(path, json={"content": "Days?"}, headers={"authorization": f"Bearer {key}"})
    assert asked.status_code == 202, asked.text
    assert (await first_event(house.settings, CHATS_ASKED, conversation)).data.api_key_id == made["id"]
    await spent(ada)
    await spent(ada, api_key_id=made["id"])
    assert (await ada.call("GET", "/users/me/usage")).json()["total"]["messages"] == 2
    assert (await ada.call("GET", f"/users/me/usage?api_key={made['id']}")).json()["total"]["messages"] == 1
    assert (await bob.call("GET", f"/users/me/usage?api_key={made['id']}")).status_code == 404


async def test_admins_see_their_tenant(house: House, ada: Person, bob: Person) -> None:
    """Everybody's, one account's, and what is stored; another tenant's account shows nothing."""
    await spent(ada)
    assert (await bob.call("GET", "/usage")).status_code == 403
    tenant = await promoted(house, ada)
    await spent(bob)
    progress = Progress(knowledge_base_id=ada.base, document_id="d", version=1, state="indexed", bytes=70, chunks=3)
    event = DocumentProgressed(id="e", source="/", subject="s", time=datetime.now(UTC), tenant=tenant, traceparent=TRACE, data=progress)
    await house.ports(AccountPorts).storage.apply_many([event])
    body = (await ada.call("GET", "/usage?window=hour")).json()
    assert body["total"]["messages"] == 1
    assert body["storage"] == {"documents": 1, "bytes": 70, "chunks": 3}
    assert (await ada.call("GET", f"/usage?user={ada.user['id']}")).json()["total"]["messages"] == 1
    assert (await ada.call("GET", f"/usage?user={bob.user['id']}")).json()["items"] == []
    assert (await ada.call("GET", f"/usage?user={ada.user['id']}&api_key={uuid.uuid4()}")).status_code == 422


async def test_a_spent_budget_refuses_everybody(api_settings: Settings) -> None:
    """Of whatever tenant, on every way to ask, embeddings too; the metrics warn before."""
    own = with_limits(api_settings, enabled=False)
    async with opened(msgspec.structs.replace(own, budget=BudgetSettings(tokens_per_day=100))) as house:
        ada, bob = await house.person(), await house.person()
        await spent(ada, prompt_tokens=83)
        budget = house.ports(LimitPorts).budget
        budget._read_s = None
        await budget.check()
        page = await read_metrics(house)
        assert 'claw_budget_used_ratio{budget="tokens_per_day"} 0.85' in page
        assert 'claw_budget_warning{budget="tokens_per_day"} 1.0' in page
        await spent(bob, prompt_tokens=13, purpose="title")
        budget._read_s = None
        asked = await bob.call("POST", f"/conversations/{await bob.conversation()}/messages", json={"content": "Days?"})
        assert is_problem(asked, 503, "budget_spent")["rule"] == "budget_tokens_per_day"
        assert int(asked.headers["retry-after"]) > 0
        is_problem(await ada.call("POST", "/knowledge/query", json={"question": "Days?"}), 503, "budget_spent")
        for path, body in (
            ("chat/completions", {"model": "claw", "messages": [{"role": "user", "content": "Days?"}]}),
            ("embeddings", {"model": "claw-embedding", "input": "Days?"}),
        ):
            answer = await house.client.post(f"/v1/{path}", json=body, headers=ada.headers)
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]["code"] == "budget_spent"


async def test_a_question_past_the_quota_is_refused(api_settings: Settings) -> None:
    """Until the quota is reached it passes; then it is a 429 with a code of its own, and nothing is written or held. Visitors of
    the account's widget end at their share of it.
    """
    quotas = QuotaSettings(free_messages_per_day=3, free_tokens_per_month=24)
    async with opened(msgspec.structs.replace(api_settings, quotas=quotas)) as house:
        ada = await house.person()
        conversation = await ada.conversation()
        await spent(ada)
        assert (await ada.call("GET", "/users/me/usage")).json()["quotas"][0]["left"] == 2
        widget = {"origins": ["https://www.example.org"], "knowledge_base_ids": [ada.base]}
        key = (await ada.call("POST", "/api-keys", json={"name": "w", "widget": widget})).json()["key"]
        page = {"authorization": f"Bearer {key}", "origin": widget["origins"][0]}
        visited = await house.client.post("/api/v1/widget/questions", json={"question": "Days?"}, headers=page)
        assert is_problem(visited, 429, "widget_share_used")["rule"] == "tokens_per_month"
        await spent(ada)
        now = datetime.now(UTC)
        refused = await ada.call("POST", f"/conversations/{conversation}/messages", json={"content": "Days?"})
        problem = is_problem(refused, 429, "quota_exceeded")
        assert problem["rule"] == "tokens_per_month"
        following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        assert abs(int(refused.headers["retry-after"]) - (following - now).total_seconds()) < 30
        assert (await ada.call("GET", f"/conversations/{conversation}/messages")).json()["items"] == []
        assert await house.ports(ChatPorts).reply_locks.holder(tenant_of(ada), conversation) is None
        month = next(each for each in (await ada.call("GET", "/users/me/usage")).json()["quotas"] if each["period"] == "month")
        assert (month["limit"], month["used"], month["left"]) == (24, 24, 0)
        bob = await house.person()
        asked = await bob.call("POST", f"/conversations/{await bob.conversation()}/messages", json={"content": "Days?"})
        assert asked.status_code == 202
