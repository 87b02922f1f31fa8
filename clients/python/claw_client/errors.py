"""What the server refuses, as exceptions."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp


class ApiError(Exception):
    """The server answered with an error. ``code``, ``detail`` and ``remedy`` are empty when the body is no problem document."""

    def __init__(self, request: str, status: int, body: str) -> None:
        problem = _parse_problem(body)
        self.status = status
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail", ""))
        self.remedy = str(problem.get("remedy", ""))
        super().__init__(f"{request} answered {status}: {body[:500]}")


class DocumentFailed(Exception):
    """A document cannot be indexed. ``state`` is its record, with the cause."""

    def __init__(self, document: str, state: Mapping[str, Any]) -> None:
        self.document = document
        self.state = dict(state)
        super().__init__(f"document {document} failed: {self.state}")


async def check_answer(answer: aiohttp.ClientResponse) -> None:
    """Raise ApiError unless the status is a success."""
    if not answer.ok:
        raise ApiError(f"{answer.method} {answer.url.path}", answer.status, await answer.text())


def _parse_problem(body: str) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
