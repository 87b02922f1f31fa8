"""`claw api`: the HTTP server around the application."""

import asyncio
from functools import partial
from typing import Any

import uvicorn

from ops.processes import logs, runtime, websockets
from ops.processes.connections import ConnectionCounts
from ops.processes.http_connection import BoundedHttp
from ops.processes.redis_version import check_server
from ops.stack.ports import is_free
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.runtime.watchdog import EXIT_STUCK

BACKLOG_MAX = 2048  # connections the kernel holds before we accept them; more are refused at once instead of waiting unseen
KEEP_ALIVE_S = 75  # of idle connections; longer than the 60 s of usual proxies, so that the proxy closes first


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; requests in flight get ``shutdown_grace_s``. Raises ConfigurationError when the port is taken.

    Returns 70, as a worker does, when the process ended itself because its Kafka clients did not work although the broker did.
    """
    from api.app import create_app  # noqa: PLC0415 - a second of imports that `claw api --help` need not wait for

    node = settings.node
    if node.port and not is_free(node.port, node.host):
        raise ConfigurationError(f"CLAW_PORT: port {node.port} on {node.host} is taken; set CLAW_PORT to another (0 takes a free one)")
    logs.configure(node, "api")
    runtime.prepare()
    asyncio.run(check_server(settings.redis))
    problems: list[str] = []

    def end(problem: str) -> None:
        problems.append(problem)
        server.should_exit = True

    server = uvicorn.Server(configuration(create_app(settings, end), settings))
    runtime.tune_gc()
    server.run()
    if problems:
        return EXIT_STUCK
    return 0 if server.started else 1


def configuration(app: Any, settings: Settings) -> uvicorn.Config:
    """How ``app`` is served."""
    counts = ConnectionCounts.of(settings)
    return uvicorn.Config(
        app,
        host=settings.node.host,
        port=settings.node.port,
        loop="uvloop",
        http=partial(BoundedHttp, settings=settings.http, counts=counts),  # type: ignore[arg-type]  # called as a class is
        **websockets.options(settings.socket, counts),
        lifespan="on",
        access_log=False,  # metrics and the problem log have what matters, without a line per request
        log_config=None,
        proxy_headers=False,  # X-Forwarded-For is walked by the application, through trusted proxies only
        server_header=False,
        backlog=BACKLOG_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.node.shutdown_grace_s)),
    )
