"""A request that is repeated after Redis has lost everything that was stored for it."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from adapters.redis.client import connect
from claw_client import Client
from tests.support.index_readers import search
from tests.system.conftest import Up, records

OLD, NEW = "The ferry leaves at nine.", "The ferry leaves at noon."


@pytest.mark.timeout(180)
async def test_an_old_text_never_replaces_a_newer_one(up: Up, client: Client) -> None:
    """The stored response and the record of the document are lost, the record is rebuilt from the log, and the first request comes again:
    it is answered as then. When the document was deleted since, it stays deleted.
    """
    headers = {**client.headers, "Idempotency-Key": uuid.uuid4().hex}

    async def submit() -> tuple[int, dict[str, Any]]:
        body = {"document_id": "ferry", "text": OLD}
        async with client.session.post(client.documents, json=body, headers=headers) as answer:
            return answer.status, dict(await answer.json())

    _, first = await submit()
    await client.wait_indexed("ferry", version=first["version"])
    newer = await client.submit("ferry", NEW)
    await client.wait_indexed("ferry", version=newer["version"])
    requested = [json.loads(each.value) for each in await records(up, "claw.documents.requested.v1")]
    (event,) = [each for each in requested if each["subject"].endswith(f"{client.knowledge_base}/ferry")]
    assert [each["version"] for each in event["data"]["requests"]] == [first["version"]]
    await lose(up, client)
    code, printed = await up.command("rebuild", "tables", "--table", "visibility")
    assert code == 0, printed
    status, again = await submit()
    assert (status, again["version"], again["task_id"]) == (202, first["version"], first["task_id"])
    await asyncio.sleep(0.5)  # for a submission that should not be there
    assert (await client.document("ferry"))["version"] == newer["version"]
    assert [each["text"] for each in (await search(client, "When does the ferry leave?"))] == [NEW]
    async with client.session.delete(f"{client.documents}/ferry", headers=client.headers) as answer:
        assert answer.status == 204
    await lose(up, client, record=False)
    status, again = await submit()
    assert (status, again["code"]) == (410, "deleted_since")


async def lose(up: Up, client: Client, *, record: bool = True) -> None:
    """Redis loses the stored responses, and with ``record`` what it knows of the document's versions and requests."""
    redis = connect(up.redis)
    patterns = ["*:idempotency:*", *([f"*:visibility:*{client.knowledge_base}/ferry*"] if record else [])]
    for pattern in patterns:
        found = [key async for key in redis.scan_iter(match=pattern, count=1000)]
        assert found, pattern
        await redis.execute_command("UNLINK", *found)
    await redis.aclose()
