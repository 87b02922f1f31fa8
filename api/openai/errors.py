"""Errors of ``/v1`` in OpenAI's format, with the statuses that the official clients map to their exception classes.

400: a request that cannot be parsed, or a feature of OpenAI that is not supported; 422: an invalid field, as everywhere in this API.
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
SHOULD_RETRY = "x-should-retry"  # the official clients retry every 5xx unless this is false
OPENAI_CODES = {
    "rate_limited": "rate_limit_exceeded",
    "quota_exceeded": "insufficient_quota",
}  # codes that clients compare with
INVALID_KEY = "invalid_api_key"  # they know one for every credential that is not accepted
TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Problem).decode


def error_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of the application: below ``/v1`` OpenAI's format, elsewhere a problem."""
    response = problems.problem_response(request, error)
    if not request.scope["path"].startswith(ROOT):
        return response
    headers = dict(response.headers)
    if isinstance(error, Refused) and (response.status_code or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers[SHOULD_RETRY] = "false"
    content = _encode(body(_decode(response.content)))
    return Response(content, status_code=response.status_code, media_type="application/json", headers=headers)


def body(problem: Problem) -> ErrorAnswer:
    """The problem in OpenAI's format. ``param`` is the first invalid field; the message names all of them, or the remedy for an error of
    the server.
    """
    fields = [f"{error.field}: {error.detail}" + _limit_note(error) for error in problem.errors]
    message = f"{problem.title}. {'; '.join(fields) or problem.detail}"
    named = problem.errors[0].field if problem.errors else ""
    is_server_error = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_server_error and problem.remedy not in message:
        message = f"{message} {problem.remedy}"
    kind = "server_error" if is_server_error else "invalid_request_error"
    kind = TYPES.get(HTTPStatus(problem.status), kind)
    code = INVALID_KEY if problem.status == HTTPStatus.UNAUTHORIZED else OPENAI_CODES.get(problem.code, problem.code)
    return ErrorAnswer(error=ErrorBody(message=message, type=kind, param=named or None, code=code))


def _limit_note(error: FieldError) -> str:
    return "" if not error.limit or error.limit in error.detail else f" (accepted: {error.limit})"


def _spec(description: str) -> ResponseSpec:
    return ResponseSpec(data_container=ErrorAnswer, description=description, generate_examples=False)


ERRORS: dict[int, ResponseSpec] = {
    400: _spec("The request cannot be parsed, or uses an unsupported feature (`unsupported_parameter`)."),
    401: _spec("The credential is missing or not valid."),
    403: _spec("The credential lacks the scope `chat`."),
    404: _spec("The model or knowledge base does not exist."),
    409: _spec("The `Idempotency-Key` was used with another body."),
    422: _spec("A field is not valid; `param` names it."),
    429: _spec("A rate limit was exceeded; `Retry-After` says when to retry."),
    502: _spec("The answer could not be generated."),
    503: _spec("A part of the system is down; retry after `Retry-After`."),
}
