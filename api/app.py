"""The application: routes, the layers around them, and what they reach.

From the outside in: the envelope (request id, trace, metrics), routing, the gate (who, how much, may they), the handler. Errors of every
layer leave as problems.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router

from adapters.secrets.tokens import AccessTokens
from api import openai, socket
from api.accounts import api_keys, sessions, usage
from api.chats import explain, feedback, query
from api.chats import routes as chat
from api.composition import open_ports
from api.conversations import export
from api.conversations import routes as conversations
from api.documents import progress, uploads
from api.documents import routes as documents
from api.http.envelope import Envelope
from api.http.gate import Gate
from api.http.metrics import Metrics
from api.http.openapi import asyncapi_route, openapi_config
from api.http.request import ApiRequest
from api.knowledge import indexes, search
from api.knowledge import routes as knowledge
from api.limits import routes as rate_limits
from api.openai.errors import error_response
from api.operations import cache, dead_letters, health
from domain.limits.client_address import parse_networks
from schemas.settings import Settings


def create_app(settings: Settings) -> Litestar:
    """The ASGI application of one process. Raises ConfigurationError for settings it cannot work with; connects when it starts."""
    tokens = AccessTokens(settings.auth)
    parse_networks(settings.limits.trusted_proxies)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_ports(settings, tokens, metrics) as ports:
            app.state.ports = ports
            yield

    people = (sessions, api_keys, usage, conversations, export, chat, feedback, explain, query, socket)
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
        exception_handlers={Exception: error_response},
        request_class=ApiRequest,
        request_max_body_size=settings.limits.body_bytes_max,
        openapi_config=openapi_config(),
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Envelope(app.asgi_handler, metrics, secrets.token_bytes)
    return app
