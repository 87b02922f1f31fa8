"""What our OpenAPI document promises of an answer: a status that is described, the media type that it has, a body that fits its schema."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support.asgi_calls import BODY_BYTES_MAX, Answered
from tests.support.hostile_requests import Operation

JSON = ("application/json", "application/problem+json")
SAID_MAX = 3  # errors of one body


class Contract:
    """The promises of a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = document["components"]
        self._validators = cache(self._make_validator)

    def find_broken(self, operation: Operation, answered: Answered) -> list[str]:
        """What of the answer is not as the document says."""
        described = operation.spec["responses"].get(str(answered.status))
        if described is None:
            return [f"status {answered.status} is not described"]
        media = {name.partition(";")[0].strip(): content for name, content in described.get("content", {}).items()}
        kind = answered.media_type.partition(";")[0].strip()
        if not media:
            return [f"a body of {kind} where none is described"] if answered.body else []
        if kind not in media:
            return [f"{kind or 'no media type'} where {', '.join(media)} is described"]
        if kind not in JSON or len(answered.body) >= BODY_BYTES_MAX:
            return []
        validator = self._validators(json.dumps(media[kind].get("schema", {}), sort_keys=True))
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(json.loads(answered.body))]
        return errors[:SAID_MAX]

    def _make_validator(self, schema: str) -> Draft202012Validator:
        return Draft202012Validator({"components": self._components, **json.loads(schema)})
