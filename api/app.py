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
    chat,
    conversations,
    dead_letters,
    documents,
    explain,
    feedback,
    health,
    indexes,
    knowledge,
    progress,
    search,
    uploads,
    users,
)
from api.composition import opened
from api.documentation import asyncapi_route, openapi
from api.envelope import Envelope
from api.gate import Gate
from api.metrics import Metrics
from api.problems import answer
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

    areas = (
        auth,
        api_keys,
        conversations,
        chat,
        knowledge,
        documents,
        uploads,
        search,
        progress,
        indexes,
        dead_letters,
        users,
        feedback,
        explain,
    )
    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=[area.router() for area in areas]),
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
