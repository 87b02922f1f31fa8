"""Seen from outside: is the process alive, can the system serve, and what do the numbers say. At the root, for machines."""

from http import HTTPStatus
from typing import Literal

from litestar import Response, Router, get
from msgspec import Struct

from api.http.gate import OPEN
from api.http.request import ApiRequest
from api.http.responses import json_response
from api.operations.ports import OperationsPorts
from api.operations.readiness import Readiness


class Alive(Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


@get("/livez", opt=OPEN, security=[{}], summary="Is the process alive?")
async def livez() -> Alive:
    """Always, while it answers at all."""
    return Alive()


@get("/readyz", opt=OPEN, security=[{}], summary="Can the system serve?")
async def readyz(request: ApiRequest) -> Response[Readiness]:
    """200, or 503 with the names of what is down."""
    readiness = await request.ports(OperationsPorts).health.readiness()
    status = HTTPStatus.OK if readiness.status == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return json_response(readiness, status, {"Cache-Control": "no-store"})


@get("/metrics", opt=OPEN, security=[{}], summary="Metrics for Prometheus", media_type="text/plain")
async def metrics(request: ApiRequest) -> Response[bytes]:
    """Text exposition format."""
    return Response(request.core.metrics.exposition(), media_type="text/plain; version=0.0.4")


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[livez, readyz, metrics], tags=["health"])
