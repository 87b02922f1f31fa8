"""Statistics of use on the whole stack: what was asked, rated and submitted is counted once, and a rebuild gives the same."""

import asyncio
import json
from typing import Any

from adapters.redis.client import connect
from claw_client import Client, events
from tests.system.conftest import Up, tenant_of

SOON_S = 30.0


async def read(client: Client) -> dict[str, Any]:
    async with client.session.get("/api/v1/users/me/usage/statistics", headers=client.headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def ask(client: Client, conversation: str, question: str) -> str:
    async with client.ask(conversation, question) as answer:
        sent = [each async for each in events(answer.content)]
    assert sent[-1].name == "completed"
    return str(sent[0].data["reply_id"])


async def test_what_an_account_did_is_in_its_statistics_once_also_after_a_rebuild(up: Up, client: Client) -> None:
    await client.submit("rules", "Employees have 25 days of annual leave.", title="Rules")
    await client.wait_indexed("rules")
    conversation = await client.create_conversation()
    reply = await ask(client, conversation, "How many days of annual leave do employees have?")
    await ask(client, conversation, "May the leave be taken in winter?")
    path = f"/api/v1/conversations/{conversation}/replies/{reply}/feedback"
    for rating in ("down", "up"):
        body = {"rating": rating, "tags": ["outdated"]}
        async with client.session.post(path, json=body, headers=client.headers) as answer:
            assert answer.status == 200, await answer.text()
    wanted = {"questions": 2, "answered": 2, "feedback_up": 1, "feedback_down": 0, "documents": 1}
    async with asyncio.timeout(SOON_S):
        while {name: (await read(client))["total"]["counts"][name] for name in wanted} != wanted:
            await asyncio.sleep(0.1)
    code, printed = await up.command("usage", "statistics", "--tenant", tenant_of(client), "--json")
    tenant = json.loads(printed)
    total = tenant["total"]
    assert (code, total["active_accounts"], total["registered_accounts"], total["exact"]) == (0, 1, 1, True), printed
    assert (tenant["reasons"], list(tenant["knowledge_bases"])) == ({"outdated": {"up": 1, "down": 0}}, [client.knowledge_base])
    before = await read(client)
    redis = connect(up.redis)
    async for key in redis.scan_iter(match=f"{up.redis.key_prefix}:counter:{{statistics_*", count=1_000):
        if b":value:" in key or b":sketch:" in key:
            await redis.execute_command("UNLINK", key)
    await redis.aclose()
    assert (await read(client))["total"]["counts"]["questions"] == 0
    code, printed = await up.command("rebuild", "tables", "--table", "statistics")
    assert code == 0, printed
    assert await read(client) == before
