"""Tasks on the whole stack: every 202's task is there, comes to its end, survives a rebuild, and really stops when it is cancelled."""

import asyncio
from typing import Any

from adapters.redis.client import connect
from claw_client import Client, events

SOON_S = 30.0


async def read(client: Client, task_id: str, status: int = 200) -> dict[str, Any]:
    async with client.session.get(f"/api/v1/tasks/{task_id}", headers=client.headers) as answer:
        assert answer.status == status, await answer.text()
        return dict(await answer.json())


async def ended(client: Client, task_id: str) -> dict[str, Any]:
    """The task once it has ended."""
    async with asyncio.timeout(SOON_S):
        while (task := await read(client, task_id))["ended_at"] is None:
            await asyncio.sleep(0.05)
    return task


async def act(client: Client, task_id: str, action: str) -> dict[str, Any]:
    async with client.session.post(f"/api/v1/tasks/{task_id}/{action}", headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()
        return dict(await answer.json())


async def test_a_document_and_a_chat_end_and_a_rebuild_gives_the_same(up, client: Client) -> None:
    """PENDING at once, SUCCESS with times and amounts; the same again after the table was lost."""
    accepted = await client.submit("rules", "Employees have 25 days of annual leave.", title="Rules")
    assert (await read(client, accepted["task_id"]))["kind"] == "vectorize_document"
    document = await ended(client, accepted["task_id"])
    assert (document["state"], document["progress"]) == ("SUCCESS", {"done": 1, "total": 1, "unit": "chunks", "percent": 100})
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How many days of annual leave?") as answer:
        sent = events(answer.content)
        reply = (await anext(sent)).data["reply_id"]
        assert (await read(client, reply))["state"] in {"PENDING", "STARTED"}
        assert [each.name async for each in sent][-1] == "completed"
    chat = await ended(client, reply)
    assert (chat["state"], chat["attempts"], chat["progress"]["unit"]) == ("SUCCESS", 1, "tokens")
    assert chat["created_at"] <= chat["started_at"] <= chat["ended_at"]
    async with client.session.delete(f"{client.documents}/rules", headers=client.headers) as gone:
        assert gone.status == 204
    async with client.session.get("/api/v1/tasks", headers=client.headers) as answer:
        before = (await answer.json())["items"]
    assert [task["kind"] for task in before] == ["update_knowledge_base", "generate_ai_response", "vectorize_document"]
    await ended(client, before[0]["id"])
    redis = connect(up.redis)
    async for key in redis.scan_iter(match=f"{up.redis.key_prefix}:task*{{tasks:*", count=1_000):
        await redis.execute_command("UNLINK", key)
    await redis.aclose()
    await read(client, document["id"], 404)
    status, printed = await up.command("rebuild", "tables", "--table", "tasks")
    assert status == 0, printed
    assert (await read(client, reply)) == chat
    assert (await read(client, accepted["task_id"])) == document


async def test_an_answer_that_is_cancelled_stops(client: Client) -> None:
    """In mid-sentence, by its task; and is answered again when it is retried."""
    conversation = await client.create_conversation(mode="assistant")
    async with client.ask(conversation, "How tall is the lighthouse?") as answer:
        sent = events(answer.content)
        reply = (await anext(sent)).data["reply_id"]
        async for each in sent:
            if each.name == "delta":
                break
        await act(client, reply, "cancel")
        assert [each.name async for each in sent][-1] == "cancelled"
    assert (await ended(client, reply))["state"] == "CANCELLED"
    again = await act(client, reply, "retry")
    done = await ended(client, again["id"])
    assert (done["state"], done["parent_id"]) == ("SUCCESS", reply)
    assert (await read(client, reply))["child_ids"] == [again["id"]]


async def test_the_command_line_shows_and_retries(up, owner: Client) -> None:
    """Tasks and workers of the running stack."""
    accepted = await owner.submit("rules", "Employees have 25 days of annual leave.")
    await ended(owner, accepted["task_id"])
    status, printed = await up.command("tasks", "list", "--kind", "vectorize_document", "--state", "SUCCESS")
    assert status == 0, printed
    assert accepted["task_id"] in printed
    status, printed = await up.command("tasks", "show", accepted["task_id"])
    assert status == 0, printed
    assert '"state": "SUCCESS"' in printed
    status, printed = await up.command("tasks", "stats", "--since", "1h")
    assert status == 0, printed
    assert "vectorize_document" in printed
    status, printed = await up.command("tasks", "workers")
    assert status == 0, printed
    assert all(group in printed for group in ("knowledge", "chat", "documents", "tables"))
    status, printed = await up.command("tasks", "retry", accepted["task_id"], "--url", up.url)
    assert status != 0
    assert "cannot be retried" in printed
