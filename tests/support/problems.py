"""What every answer of an API that is a problem holds."""

from typing import Any

from domain.areas import ERRORS
from schemas.errors import CATALOGUE


def is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The members every problem has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:claw:problem:{code}"
    assert body["title"] == {**CATALOGUE, **ERRORS}[code].title
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body
