"""OpenAPI beyond the handlers' signatures: problems, parameters, event streams, security; and the documents served under /schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Union, cast

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    License,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.params import QueryParameter
from litestar.routes import HTTPRoute
from msgspec import Struct

from api.http.asyncapi.document import document
from api.http.gate import OPEN
from schemas.bodies.conversations import ConversationFile
from schemas.bodies.streams import REPLY_EVENTS
from schemas.errors import Problem
from schemas.settings import Settings

VERSION = "0.1.0"
PROBLEM_JSON = "application/problem+json"
OPENAPI_JSON = "application/vnd.oai.openapi+json"

Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Records on a page.")]
Cursor = Annotated[str, QueryParameter(max_length=1_000, description="`next_cursor` of the page before.")]


def problem(description: str) -> ResponseSpec:
    """An error answer in the documentation."""
    return ResponseSpec(data_container=Problem, description=description, generate_examples=False, media_type=PROBLEM_JSON)


PROBLEMS: dict[int, ResponseSpec] = {
    400: problem("The request cannot be read."),
    401: problem("The credential is missing or not valid."),
    403: problem("The credential does not permit this."),
    404: problem("Not found, or not accessible to the caller."),
    409: problem("A conflict with the present state, or with an earlier request of the same `Idempotency-Key`."),
    412: problem("The record was changed since it was read."),
    413: problem("The body is too large."),
    422: problem("A field is not valid; `errors` names it and the limit."),
    429: problem("A rate limit was exceeded; `rule` names it, `Retry-After` says when to retry."),
    503: problem("A part of the system is down; retry after `Retry-After` with the same `Idempotency-Key`."),
}

NO_MORE = ResponseSpec(data_container=None, description="The stream has ended; nothing follows `Last-Event-ID`.", generate_examples=False)
GONE = ResponseSpec(data_container=None, description="Deleted: no reader sees it any more.", generate_examples=False)
EXPORT_FILE = ResponseSpec(data_container=ConversationFile, description="The file: JSON or Markdown.", generate_examples=False)


def event_stream(description: str, events: Mapping[str, type[Struct]]) -> ResponseSpec:
    """An event stream in the documentation: the schema is that of an event's ``data``, the description names it for each event."""
    names = ", ".join(f"`{name}` ({kind.__name__})" for name, kind in events.items())
    return ResponseSpec(
        data_container=cast("Any", Union[tuple(dict.fromkeys(events.values()))]),  # noqa: UP007 - made of a table
        description=f"{description} Events and the schemas of their `data`: {names}.",
        generate_examples=False,
        media_type="text/event-stream",
    )


@dataclass
class StreamOperation(Operation):
    """An operation that answers 200 with JSON or with an event stream: documented under ``STREAMED``, which becomes a part of 200."""

    def __post_init__(self) -> None:
        responses = cast("dict[str, OpenAPIResponse]", self.responses)
        stream, whole = responses.pop(str(STREAMED)), responses["200"]
        whole.content = {**(whole.content or {}), **(stream.content or {})}


@dataclass
class ExportOperation(Operation):
    """An operation whose file has a media type by its format; the framework knows one for each status."""

    def __post_init__(self) -> None:
        content = cast("dict[str, OpenAPIResponse]", self.responses)["200"].content or {}
        content["text/markdown"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


NEEDS = {
    "open": "Anybody may call it, without a limit.",
    "public": "Needs no credential; limited by address.",
    "person": "Needs an access token; an API key is refused.",
    "caller": "Needs an access token or an API key.",
    "widget": "Needs the API key of a widget, and the `Origin` of a page that it is for.",
}

STREAMED = 299  # a status that is never sent

EVENTS = event_stream(
    "An event stream: `accepted` (only of a question), `queued` (while other questions are answered first), `retrieved`, `thinking` "
    "(only when asked for), `delta`, `citation`, `restart` (drop the text so far), `snapshot` (all so far), and one of `completed`, "
    "`failed`, `cancelled` as its end. "
    "Every event has an id for `Last-Event-ID`.",
    REPLY_EVENTS,
)

DESCRIPTION = """A knowledge-grounded chat backend whose system of record is a log.

Errors are RFC 9457 problems with a stable `code`. Every POST takes an `Idempotency-Key`: the same key and body give the same answer for
24 hours. After that a repeat of a request that wrote a record is answered by that record, or with `410 deleted_since`, and writes nothing.
Lists page by cursor. Answers stream as server-sent events with `Accept: text/event-stream`, and resume with `Last-Event-ID`.
The topics behind it are described at `/schema/asyncapi.json`."""


async def _refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """The framework answers unknown paths below /schema with a page; here every error is a problem."""
    if "path" in request.path_params:
        raise NotFoundException


def correct_unions(node: Any) -> None:
    """Correct, in place, what the framework writes of unions, by which a strict reader refuses valid values.

    It writes ``oneOf``, which a value that fits two of the types violates: a Python union is ``anyOf``, and of one type that type. The
    ellipsis of ``tuple[T, ...]`` becomes a type of its own that anything fits.
    """
    if isinstance(node, list):
        for each in node:
            correct_unions(each)
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        correct_unions(value)
        if name == "items" and isinstance(value, dict) and {} in value.get("anyOf", ()):
            value["anyOf"].remove({})
            _inline_only(value)
    if isinstance(node.get("oneOf"), list):
        node["anyOf"] = node.pop("oneOf")
        _inline_only(node)


def _inline_only(schema: dict[str, Any]) -> None:
    if len(schema["anyOf"]) == 1:
        (only,) = schema.pop("anyOf")
        schema.update({**only, **schema})


class EncodedOnce(JsonRenderPlugin):
    """The document as JSON, encoded by the first call: half a megabyte that anybody may ask for."""

    _encoded: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._encoded is None:
            self._encoded = super().render(request, openapi_schema)
        return self._encoded


def build_openapi(app: Litestar) -> None:
    """Build the document, which takes a second of computing, before the first request asks for it and everybody else waits."""
    document = app.plugins.get(OpenAPIPlugin).provide_openapi_schema()
    correct_unions(document)
    describe_refusals(document)
    describe_access(app, document)


def describe_refusals(document: dict[str, Any]) -> None:
    """Write in place what is refused before a handler is asked, and what the framework therefore does not know: a head that is too large,
    and a body of another media type, in the format of the operation's other refusals. A part of a path is never empty: that would be
    another path.
    """
    head = {
        "description": "The head of the request is too large.",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["schema"].get("type") == "string":
                    parameter["schema"].setdefault("minLength", 1)
            responses = operation["responses"]
            responses.setdefault(str(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE.value), head)
            if "requestBody" in operation and (refusal := responses.get("422") or responses.get("400")):
                unsupported = {**refusal, "description": "The body has another media type than those that are documented."}
                responses.setdefault(str(HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value), unsupported)


def describe_access(app: Litestar, document: dict[str, Any]) -> None:
    """Write into every operation, in place, who may call it: as text, and as ``x-access`` with the fields of the route's ``opt``."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format not in document["paths"]:
            continue
        for method, (handler, _) in route.route_handler_map.items():
            operation = document["paths"][route.path_format].get(method.lower())
            if operation is None:
                continue
            access = access_of(handler.opt)
            operation["x-access"] = access
            needs = [f"the {name} `{access[name]}`" for name in ("role", "scope") if name in access]
            note = NEEDS[access["access"]] + (f" It needs {' and, of an API key, '.join(needs)}." if needs else "")
            operation["description"] = f"{operation.get('description', '')}\n\n{note}".strip()


def access_of(opt: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a route's ``opt`` that say who may call it; see ``api/http/gate.py``."""
    return {"access": "person"} | {name: opt[name] for name in ("access", "role", "scope") if name in opt}


def openapi_config() -> OpenAPIConfig:
    """OpenAPI 3.1 at /schema and /schema/openapi.json; no pages that load scripts from elsewhere."""
    return OpenAPIConfig(
        title="Claw",
        version=VERSION,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        openapi_router=Router("/schema", route_handlers=[], opt=OPEN, include_in_schema=False, before_request=_refuse_unknown),
        render_plugins=[EncodedOnce(path=["/", "/openapi.json"])],
        security=[{"bearer": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="An access token from /api/v1/auth/login, or an API key `claw_<id>_<secret>`."
                )
            }
        ),
        tags=[
            Tag(name="auth", description="Accounts, sessions, API keys."),
            Tag(name="users", description="The accounts of an organisation."),
            Tag(name="organisation", description="The caller's organisation, its members and invitations."),
            Tag(name="conversations", description="Conversations and their messages."),
            Tag(name="chat", description="Questions and streamed answers."),
            Tag(name="knowledge", description="Knowledge bases."),
            Tag(name="documents", description="Documents of knowledge bases."),
            Tag(
                name="sources",
                description="Sources of citations: the version that was read, as page images or passages, with the quote highlighted.",
            ),
            Tag(name="retrieval", description="Search, and answers without a conversation."),
            Tag(name="widget", description="Questions of visitors of a page that embeds `<claw-chat>`: docs/embed.md."),
            Tag(name="openai", description="Compatible with OpenAI's clients: set their base URL to `/v1`. Errors have OpenAI's format."),
            Tag(name="indexes", description="Indexes of knowledge bases, and their rebuild."),
            Tag(name="tasks", description="Work that goes on after its request: states, progress, cancel, retry; dead letters."),
            Tag(name="notices", description="Notices of the account, and how they arrive."),
            Tag(name="webhooks", description="Endpoints that get events by POST, signed after the Standard Webhooks specification."),
            Tag(name="schedules", description="What runs again and again: rebuilds of a tenant, care of the installation."),
            Tag(name="rate limits", description="Rules, allow and deny lists, and decisions."),
            Tag(name="configuration", description="Settings that change while everything runs: keys, history, propagation."),
            Tag(name="cache", description="Caches: their statistics, entries, warm-up and invalidation."),
            Tag(name="audit", description="The audit log: who did what that concerns security."),
            Tag(name="erasures", description="Erasures of accounts and organisations: how far each is, and its signed certificate."),
            Tag(name="usage", description="Usage, cost and quotas."),
            Tag(name="health", description="Liveness, readiness and metrics."),
        ],
        use_handler_docstrings=True,
    )


def asyncapi_route(settings: Settings) -> Any:
    """The AsyncAPI document, encoded once."""
    encoded = msgspec.json.encode(document(settings))

    @get("/schema/asyncapi.json", opt=OPEN, include_in_schema=False, sync_to_thread=False)
    def topics() -> Response[bytes]:
        """AsyncAPI 3.0."""
        return Response(encoded, media_type="application/json")

    return topics
