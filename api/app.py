"""The application: the routes of every area, the layers around them, and their ports.

From the outside in: the envelope (request id, trace, metrics), CORS, routing, the gate
(authentication, limits, rights), the handler. Errors of every layer leave as problems.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar, Router

from adapters.secrets.signing import SigningSecrets, check_overlap
from api.accounts.oidc_login import check_settings
from api.areas import AREAS
from api.composition import open_ports
from api.http.cors import Cors, parse_origins
from api.http.envelope import Envelope
from api.http.gate import Gate
from api.http.hosts import AllowedHosts
from api.http.metrics import Metrics
from api.http.openapi import asyncapi_route, build_openapi, openapi_config
from api.http.request import ApiRequest
from api.openai.errors import error_response
from api.openai.token_arrays import load_vocabulary
from domain.accounts.settings import OidcSettings
from domain.limits.client_address import parse_networks
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.runtime.status_server import StatusServer, liveness

log = structlog.get_logger(__name__)


def _go_on(_reason: str) -> None:
    """For a server that nobody starts again."""


def create_app(settings: Settings, stuck: Callable[[str], None] = _go_on) -> Litestar:
    """The ASGI application of one process. Raises ConfigurationError for settings it cannot work with; connects when it starts.

    ``stuck`` is called, with the reason, when only a restart of the process helps.
    """
    SigningSecrets(settings.auth)
    check_overlap(settings.auth, SystemClock().now())
    check_settings(settings.of(OidcSettings))
    parse_networks(settings.limits.trusted_proxies)
    AllowedHosts(settings)
    if settings.retrieval.embedding_tokens_file:
        load_vocabulary(settings.retrieval.embedding_tokens_file)
    origins = parse_origins(settings.node.cors_origins)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        status = StatusServer({"/livez": liveness, "/metrics": metrics.page})
        app.state.metrics_port = await status.start(settings.node)
        log.info("api_started", metrics_port=app.state.metrics_port)
        building = asyncio.create_task(asyncio.to_thread(build_openapi, app))
        try:
            async with open_ports(settings, metrics, AREAS, stuck) as ports:
                app.state.ports = ports
                await building
                yield
        finally:
            await status.stop()

    app = Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=[router() for area in AREAS for router in area.routers]),
            *(router() for area in AREAS for router in area.root_routers),
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
    any_origin = tuple(path for area in AREAS for path in area.any_origin)
    app.asgi_handler = Envelope(Cors(app.asgi_handler, origins, any_origin), metrics, secrets.token_bytes)
    return app
