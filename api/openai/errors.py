"""Errors of ``/v1`` in OpenAI's envelope, with the statuses from which the official clients make their exception classes.

400 is what cannot be read, and what OpenAI offers and this API does not; 422 a field that is not acceptable, as everywhere in this API.
"""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.openapi import ResponseSpec

from api.http import problems
from schemas.bodies.openai import ErrorAnswer, ErrorBody
from schemas.errors import FieldError, Problem, Refused

ROOT = "/v1/"
SHOULD_RETRY = "x-should-retry"  # the official clients repeat every 5xx unless it says false
OPENAI_CODES = {
    "unauthenticated": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
    "quota_exceeded": "insufficient_quota",
}  # what clients compare with
TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Problem).decode


def error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of the whole application: below ``/v1`` in OpenAI's words, elsewhere a problem."""
    told = problems.problem_response(request, error)
    if not request.scope["path"].startswith(ROOT):
        return told
    headers = dict(told.headers)
    if isinstance(error, Refused) and (told.status_code or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers[SHOULD_RETRY] = "false"
    said = _encode(body(_decode(told.content)))
    return Response(said, status_code=told.status_code, media_type="application/json", headers=headers)


def body(problem: Problem) -> ErrorAnswer:
    """The problem as OpenAI's clients read one. ``param`` is the first field at fault, the message names all of them, or what
    to do about a failure here.
    """
    fields = [f"{error.field}: {error.detail}" + _limit_note(error) for error in problem.errors]
    message = f"{problem.title}. {'; '.join(fields) or problem.detail}"
    named = problem.errors[0].field if problem.errors else ""
    failed_here = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if failed_here and problem.remedy not in message:
        message = f"{message} {problem.remedy}"
    kind = "server_error" if failed_here else "invalid_request_error"
    kind = TYPES.get(HTTPStatus(problem.status), kind)
    return ErrorAnswer(error=ErrorBody(message=message, type=kind, param=named or None, code=OPENAI_CODES.get(problem.code, problem.code)))


def _limit_note(error: FieldError) -> str:
    return "" if not error.limit or error.limit in error.detail else f" (accepted: {error.limit})"


def _spec(description: str) -> ResponseSpec:
    return ResponseSpec(data_container=ErrorAnswer, description=description, generate_examples=False)


ERRORS: dict[int, ResponseSpec] = {
    400: _spec("The request cannot be read, or asks for something that is not offered (`unsupported_parameter`)."),
    401: _spec("No valid credential."),
    403: _spec("The credential lacks the scope `chat`."),
    404: _spec("There is no such model or knowledge base."),
    409: _spec("The `Idempotency-Key` was used with another body."),
    422: _spec("A field is not acceptable; `param` names it."),
    429: _spec("A rate limit refused; `Retry-After` says when to come back."),
    502: _spec("The answer could not be made."),
    503: _spec("A part is down; repeat after `Retry-After`."),
}
