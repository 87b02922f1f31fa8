"""The served document: what streams say has schemas of its own."""

import pytest
from litestar._openapi.plugin import OpenAPIPlugin

from schemas.bodies.streams import PROGRESS_EVENTS, REPLY_EVENTS
from tests.support.api_process import House

pytestmark = pytest.mark.asyncio(loop_scope="session")
REPLIES = "/api/v1/conversations/{conversation_id}"


async def test_streams_name_the_schemas_of_their_events(house: House):
    document = (await house.client.get("/schema/openapi.json")).json()

    def named(path: str, method: str) -> set[str]:
        schema = document["paths"][path][method]["responses"]["200"]["content"]["text/event-stream"]["schema"]
        names = {each["$ref"].rpartition("/")[2] for each in schema.get("oneOf", [schema])}
        assert names <= set(document["components"]["schemas"])
        return names

    replies = {kind.__name__ for kind in REPLY_EVENTS.values()}
    for path, method in (
        (f"{REPLIES}/messages", "post"),
        (f"{REPLIES}/replies/{{reply_id}}/stream", "get"),
        ("/api/v1/knowledge/query", "post"),
        ("/api/v1/knowledge/{knowledge_base_id}/query", "post"),
    ):
        assert named(path, method) == replies
    assert named("/api/v1/knowledge/{knowledge_base_id}/events", "get") == {kind.__name__ for kind in PROGRESS_EVENTS.values()}
    assert named("/v1/chat/completions", "post") == {"ChatCompletionChunk"}
    statuses = {status for each in document["paths"].values() for operation in each.values() for status in operation["responses"]}
    assert "299" not in statuses


async def test_the_document_is_built_before_the_first_request(house: House):
    """Building it takes long enough for everybody to notice."""
    assert house.app.plugins.get(OpenAPIPlugin)._openapi_schema is not None
    first, second = [(await house.client.get("/schema/openapi.json")).content for _ in range(2)]
    assert first == second
