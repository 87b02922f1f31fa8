"""The application: routes, the layers around them, and what they reach.

From the outside in: the envelope (request id, trace, metrics), routing, the gate (who, how much, may they), the handler. Errors of every
layer leave as problems.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router

from adapters.tokens import Tokens
from api import (
    api_keys,
    auth,
    cache,
    chat,
    conversations,
    dead_letters,
    documents,
    explain,
    export,
    feedback,
    health,
    indexes,
    knowledge,
    openai,
    progress,
    query,
    rate_limits,
    search,
    socket,
    uploads,
    users,
)
from api.composition import opened
from api.documentation import asyncapi_route, openapi
from api.envelope import Envelope
from api.gate import Gate
from api.metrics import Metrics
from api.openai.errors import answer
from api.requests import ApiRequest
from schemas.settings import Settings
from streams.addresses import trusted_networks


def create_app(settings: Settings) -> Litestar:
    """The ASGI application of one process. Raises ConfigurationError for settings it cannot work with; connects when it starts."""
    tokens = Tokens(settings.auth)
    trusted_networks(settings.limits.trusted_proxies)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opened(settings, tokens, metrics) as ports:
            app.state.ports = ports
            yield

    people = (auth, api_keys, users, conversations, export, chat, feedback, explain, query, socket)
    work = (knowledge, documents, uploads, search, progress, indexes, dead_letters, rate_limits, cache)
    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=[area.router() for area in (*people, *work)]),
            openai.router(),
            health.router(),
            asyncapi_route(settings),
        ],
        lifespan=[lifespan],
        middleware=[Gate],
        exception_handlers={Exception: answer},
        request_class=ApiRequest,
        request_max_body_size=settings.limits.body_bytes_max,
        openapi_config=openapi(),
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Envelope(app.asgi_handler, metrics, secrets.token_bytes)
    return app
