"""`claw api`: the HTTP server around the application."""

import uvicorn

from ops import logs
from ops.stack.ports import is_free
from schemas.errors import ConfigurationError
from schemas.settings import Settings

BACKLOG_MAX = 2048  # connections the kernel holds before we accept them; more are refused at once instead of waiting unseen
KEEP_ALIVE_S = 75  # idle connections; longer than the 60 s of usual proxies, so that the proxy closes first
CONNECTIONS_MARGIN = 2_000  # plain requests in flight beside the event streams; beyond that the server says 503 itself


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; requests in flight get ``shutdown_grace_s``. Raises ConfigurationError when the port is taken."""
    from api.app import create_app  # noqa: PLC0415 - a second of imports that `claw api --help` need not wait for

    node = settings.node
    if node.port and not is_free(node.port, node.host):
        raise ConfigurationError(f"CLAW_PORT: port {node.port} on {node.host} is taken; set CLAW_PORT to another (0 takes a free one)")
    logs.configure(node, "api")
    config = uvicorn.Config(
        create_app(settings),
        host=node.host,
        port=node.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,  # metrics and the problem log say what matters, without a line per request
        log_config=None,
        proxy_headers=False,  # X-Forwarded-For is walked by the application, through trusted proxies only
        server_header=False,
        backlog=BACKLOG_MAX,
        limit_concurrency=settings.limits.streams_max + CONNECTIONS_MARGIN,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(node.shutdown_grace_s)),
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1
