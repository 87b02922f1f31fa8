"""Liveness, readiness and metrics: at the root, for load balancers and monitoring."""

from http import HTTPStatus
from typing import Literal

from litestar import Response, Router, get
from litestar.openapi import ResponseSpec
from msgspec import Struct

from api.http.gate import OPEN, OPERATOR
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response
from api.operations.ports import OperationsPorts
from api.operations.readiness import Readiness

NOT_READY = ResponseSpec(data_container=Readiness, description="A part is down.", generate_examples=False)


class Alive(Struct, frozen=True):
    """The process answers requests."""

    status: Literal["alive"] = "alive"


@get("/livez", opt=OPEN, security=[{}], summary="Liveness")
async def livez() -> Alive:
    """``200`` while the process answers requests."""
    return Alive()


@get("/readyz", opt=OPEN, security=[{}], responses={503: NOT_READY}, summary="Readiness")
async def readyz(request: ApiRequest) -> Response[Readiness]:
    """``200`` while no part is down, also when some are degraded; else ``503`` with the names of those that are."""
    readiness = await request.ports(OperationsPorts).health.readiness()
    status = HTTPStatus.SERVICE_UNAVAILABLE if readiness.down else HTTPStatus.OK
    return json_response(readiness, status)


@get("/metrics", opt=OPERATOR, responses=PROBLEMS, summary="Metrics for Prometheus", media_type="text/plain")
async def metrics(request: ApiRequest) -> Response[bytes]:
    """Text exposition format, for administrators; scrapers use the port `CLAW_METRICS_PORT`, which needs no credential."""
    _, content_type, page = request.core.metrics.page()
    return Response(page, media_type=content_type)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[livez, readyz, metrics], tags=["health"])
