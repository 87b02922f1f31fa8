"""Errors as responses: every error leaves as an RFC 9457 problem with a stable code and the request's id.

Together with the agent wrapper this is the one place that catches any exception: an unexpected one becomes ``internal_error`` in the
response and a traceback in the log. Messages of drivers are only logged.
"""

import re
from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.types import Scope, Send

from api.http.envelope import request_id_of
from schemas.errors import ClawError, FieldError, Problem, Refused, Unavailable

PROBLEM_JSON = "application/problem+json"
BY_STATUS = {
    HTTPStatus.BAD_REQUEST: "invalid_request",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
}

PATH_CHARS_MAX = 200  # of a path that is named in a problem

log = structlog.get_logger(__name__)


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of the application."""
    problem = to_problem(request.scope, error)
    return Response(body_of(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=_headers(error, problem))


def to_problem(scope: Scope, error: Exception) -> Problem:
    """The problem that the client gets; an error of the server is logged in full."""
    failure = error if isinstance(error, ClawError) else _translate(scope, error)
    problem = failure.problem()
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        problem = _log_failure(scope, error, problem)
    return msgspec.structs.replace(problem, request_id=request_id_of(scope))


async def deny(scope: Scope, send: Send, error: Exception) -> None:
    """Answer a WebSocket's handshake with a problem instead."""
    problem = to_problem(scope, error)
    headers = {"content-type": PROBLEM_JSON, **_headers(error, problem)}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send(cast("Any", {"type": "websocket.http.response.start", "status": problem.status, "headers": pairs}))
    await send(cast("Any", {"type": "websocket.http.response.body", "body": body_of(problem)}))


def body_of(problem: Problem) -> bytes:
    """The members of every problem, and the others where they are set."""
    always = {name: getattr(problem, name) for name in ("type", "title", "status", "detail", "code", "request_id")}
    return msgspec.json.encode(always | msgspec.to_builtins(problem))


def _log_failure(scope: Scope, error: Exception, problem: Problem) -> Problem:
    """Log the error in full; the response only gets the catalogue's text. An outage is logged by the part that noticed it, not once per
    request.
    """
    unexpected = not isinstance(error, Unavailable | Refused)
    (log.error if unexpected else log.debug)(
        "request_failed",
        request_id=request_id_of(scope),
        route=scope.get("path_template", ""),
        code=problem.code,
        cause=str(error),
        exc_info=error if unexpected else None,
    )
    return msgspec.structs.replace(problem, detail=problem.remedy)


def _translate(scope: Scope, error: Exception) -> ClawError:
    """The framework's refusals as errors of the catalogue; anything else is an internal error."""
    if isinstance(error, NotFoundException):  # only routing raises it: what a route does not find is a Refused
        return Refused("not_found", f"there is no route {str(scope['path'])[:PATH_CHARS_MAX]}; /schema lists the routes")
    if isinstance(error, ValidationException):
        return Refused("validation_failed", errors=tuple(_field_error(item) for item in error.extra or ()))
    if isinstance(error, HTTPException) and error.status_code in BY_STATUS:
        return Refused(BY_STATUS[HTTPStatus(error.status_code)])
    return ClawError()


def _field_error(item: Any) -> FieldError:
    """One of the framework's validation messages about a path or query parameter, or a missing body."""
    name, source, message = item.get("key", ""), item.get("source"), str(item.get("message", ""))
    if name == "data":
        return FieldError("", "the body is empty", "a JSON object")
    return field_error(f"{getattr(source, 'value', source)}.{name}" if source else name, message)


_EXPECTED = re.compile(r"Expected (?P<limit>.+?)(?:, got (?P<got>.+))?$")


def field_error(field: str, message: str) -> FieldError:
    """Msgspec's message about a value, split into what is wrong and what would have been accepted."""
    words = message.split(" - at ", maxsplit=1)[0].replace("`", "")
    expected = _EXPECTED.match(words)
    if expected is None:
        return FieldError(field, words)
    if expected["got"]:
        return FieldError(field, f"is {expected['got']}", expected["limit"])
    return FieldError(field, f"must be {expected['limit']}", expected["limit"])


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    headers: dict[str, str] = {}
    if problem.retry_after_s:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="claw"'
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED and isinstance(error, HTTPException):
        headers |= error.headers or {}
    return headers
