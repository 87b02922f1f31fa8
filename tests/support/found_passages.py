"""What a running stack finds in a knowledge base, and what it holds of a document."""

from typing import Any

from claw_client import Client


async def search(client: Client, query: str, limit: int = 5) -> list[dict[str, Any]]:
    url = f"/api/v1/knowledge/{client.knowledge_base}/search"
    async with client.session.post(url, json={"query": query, "limit": limit}, headers=client.headers) as answer:
        assert answer.status == 200, await answer.text()
        return list((await answer.json())["passages"])


async def chunks(client: Client, document: str) -> list[dict[str, Any]]:
    async with client.session.get(f"{client.documents}/{document}/chunks", params={"limit": 100}, headers=client.headers) as answer:
        assert answer.status == 200, await answer.text()
        return list((await answer.json())["items"])
