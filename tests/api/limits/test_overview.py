"""Everything that bounds somebody, in one list."""

import msgspec
import pytest

from schemas.settings import BudgetSettings, CapSettings, QuotaSettings, Settings
from tests.support.api_people import promoted
from tests.support.api_process import House, Person, opened, with_limits

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def listed(person: Person) -> dict[tuple[str, str], dict[str, object]]:
    answer = await person.call("GET", "/users/me/limits")
    assert answer.status_code == 200, answer.text
    return {(each["name"], each["scope"] if each["kind"] == "cap" else each["kind"]): each for each in answer.json()["items"]}


async def test_caps_quotas_budget_and_rates(api_settings: Settings):
    """What is used, the limit, what remains, and when it is free again; amounts of the budget are for administrators."""
    settings = msgspec.structs.replace(
        with_limits(api_settings),
        caps=CapSettings(free_conversations_max=4, tenant_sockets_max=0),
        quotas=QuotaSettings(free_messages_per_day=9),
        budget=BudgetSettings(tokens_per_day=1_000),
    )
    async with opened(settings) as house:
        ada = await house.person()
        await ada.conversation()
        await ada.call("PUT", f"/knowledge/{ada.base}/documents/a", json={"text": "ten bytes!"})
        await ada.call("POST", "/api-keys", json={"name": "a"}, headers={"idempotency-key": "k"})
        async with house.client.stream("GET", f"/api/v1/knowledge/{ada.base}/events", headers=ada.headers) as answer:
            assert answer.status_code == 200
            found = await listed(ada)
        expected = {"conversations": 1, "knowledge_bases": 1, "documents": 1, "stored_bytes": 10, "streams": 1, "sockets": 0, "uploads": 0}
        assert {name: found[name, "account"]["used"] for name in expected} == expected
        assert found["conversations", "account"] == {
            "name": "conversations",
            "kind": "cap",
            "scope": "account",
            "unit": "conversations",
            "used": 1,
            "limit": 4,
            "remaining": 3,
            "reset_s": None,
        }
        assert found["documents", "tenant"]["used"] == found["streams", "tenant"]["used"] == found["conversations", "tenant"]["used"] == 1
        assert found["idempotency_bytes", "account"]["used"] == 256
        assert found["stored_bytes", "tenant"]["unit"] == "bytes"
        assert ("sockets", "tenant") not in found  # no cap is set
        quota = found["messages_per_day", "quota"]
        assert (quota["kind"], quota["remaining"]) == ("quota", 9)
        assert 0 < int(str(quota["reset_s"])) <= 86_400
        rate = found["user_free", "rate"]
        assert (rate["kind"], rate["unit"], rate["limit"]) == ("rate", "requests", 200)
        assert int(str(rate["used"])) + int(str(rate["remaining"])) == 200
        assert found["embedding_tokens", "rate"]["unit"] == "embedding_tokens"
        budget = found["tokens_per_day", "budget"]
        assert (budget["unit"], budget["used"], budget["limit"]) == ("percent", 0, 100)
        eve = await house.person()
        await promoted(house, eve)
        budget = (await listed(eve))["tokens_per_day", "budget"]
        assert (budget["unit"], budget["limit"]) == ("tokens", 1_000)


async def test_nobody_sees_what_another_tenant_holds(house: House, ada: Person, bob: Person):
    await ada.conversation()
    assert (await listed(ada))["conversations", "tenant"]["used"] == 1
    assert (await listed(bob))["conversations", "tenant"]["used"] == 0
