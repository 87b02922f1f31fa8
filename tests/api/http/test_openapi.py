"""The served document: what streams say has schemas of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from litestar._openapi.plugin import OpenAPIPlugin

from schemas.bodies.streams import PROGRESS_EVENTS, REPLY_EVENTS
from tests.support.api_process import House, Person
from tests.support.node_tools import run_node

pytestmark = pytest.mark.asyncio(loop_scope="session")
REPLIES = "/api/v1/conversations/{conversation_id}"


async def test_streams_name_the_schemas_of_their_events(house: House):
    document = (await house.client.get("/schema/openapi.json")).json()

    def named(path: str, method: str) -> set[str]:
        schema = document["paths"][path][method]["responses"]["200"]["content"]["text/event-stream"]["schema"]
        names = {each["$ref"].rpartition("/")[2] for each in schema.get("anyOf", [schema])}
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


async def test_every_operation_says_who_may_call_it(house: House):
    paths = (await house.client.get("/schema/openapi.json")).json()["paths"]
    assert all("access" in operation["x-access"] for each in paths.values() for operation in each.values())
    rules = paths["/api/v1/rate-limits/rules"]["put"]
    assert rules["x-access"] == {"access": "caller", "role": "operator", "scope": "ops"}
    assert "the role `operator` and, of an API key, the scope `ops`" in rules["description"]
    assert paths["/api/v1/api-keys"]["post"]["x-access"] == {"access": "person"}


async def test_the_document_is_built_before_the_first_request(house: House):
    """Building it takes long enough for everybody to notice."""
    assert house.app.plugins.get(OpenAPIPlugin)._openapi_schema is not None
    first, second = [(await house.client.get("/schema/openapi.json")).content for _ in range(2)]
    assert first == second


def schemas_in(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document, with its place."""
    if isinstance(node, dict):
        if node.keys() & {"type", "$ref", "anyOf", "oneOf", "enum", "const"} and "in" not in node:
            yield path, node
        for name, value in node.items():
            if name not in ("default", "example", "examples", "enum"):
                yield from schemas_in(value, f"{path}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from schemas_in(value, f"{path}/{number}")


async def test_defaults_and_examples_are_valid(house: House):
    """A strict reader refuses a value that fits two parts of a ``oneOf``; every default and example is one that it takes."""
    document = (await house.client.get("/schema/openapi.json")).json()
    checked = 0
    for path, schema in schemas_in(document):
        validator = Draft202012Validator({"components": document["components"], **schema})
        examples = schema.get("examples", [])
        for value in [*([schema["default"]] if "default" in schema else []), *(examples if isinstance(examples, list) else [])]:
            assert [error.message for error in validator.iter_errors(value)] == [], path
            checked += 1
        assert "oneOf" not in schema, f"{path}: unions of Python do not exclude each other"
        assert schema.get("items") != {}, path
    assert checked > 100


async def test_answers_have_the_schemas_of_their_routes(house: House, ada: Person):
    """Lists and records of the running application, by a validator that knows only the document."""
    document = (await house.client.get("/schema/openapi.json")).json()
    conversation_id = await ada.conversation()
    key = {"name": "reader", "scopes": ["chat", "knowledge:read"]}
    for method, path, route, status in (
        ("POST", "/api/v1/api-keys", "/api/v1/api-keys", "201"),
        ("GET", "/api/v1/api-keys", "/api/v1/api-keys", "200"),
        ("GET", "/api/v1/knowledge", "/api/v1/knowledge", "200"),
        ("GET", "/api/v1/conversations", "/api/v1/conversations", "200"),
        ("GET", f"/api/v1/conversations/{conversation_id}", "/api/v1/conversations/{conversation_id}", "200"),
    ):
        operation = document["paths"][route][method.lower()]
        if method == "POST":
            (body,) = operation["requestBody"]["content"].values()
            Draft202012Validator({"components": document["components"], **body["schema"]}).validate(key)
        answer = await house.client.request(method, path, headers=ada.headers, json=key if method == "POST" else None)
        assert answer.status_code == int(status), answer.text
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        Draft202012Validator({"components": document["components"], **schema}).validate(answer.json())


async def test_tags_are_described(house: House):
    document = (await house.client.get("/schema/openapi.json")).json()
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation.get("tags", [])}
    assert used == {tag["name"] for tag in document["tags"]}


@pytest.mark.timeout(400)  # the first time it is installed
async def test_spectral_finds_nothing(house: House):
    """Its rules for OpenAPI: errors and warnings, but for the contact, who is whoever runs the installation."""
    (found,) = run_node("openapi.mjs", [(await house.client.get("/schema/openapi.json")).content])
    assert [each for each in found if each["code"] != "info-contact"] == []
