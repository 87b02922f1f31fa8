"""The AsyncAPI document with every topic, and what a reader of it does: follow references, validate."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from api.http.asyncapi.document import document
from schemas.settings import KafkaSettings, NodeSettings, Settings

SETTINGS = Settings(kafka=KafkaSettings(topic_prefix="eu."), node=NodeSettings(public_url="https://claw.example.org"))
DOCUMENT = document(SETTINGS, private=True)
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]


def follow(reference: str) -> Any:
    """What ``reference`` points to; KeyError when it points to nothing."""
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def references(node: Any) -> Iterator[str]:
    """Every reference in it."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref" and isinstance(value, str))
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def mistakes(value: Any, schema: dict[str, Any]) -> list[str]:
    """Where ``value`` differs from a schema of the document."""
    validator = Draft7Validator({**schema, "components": DOCUMENT["components"]})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
