"""The door: what must be right before a connection becomes a WebSocket, and its counting."""

from typing import Any

from litestar import Router, WebSocket, websocket

from api.http.gate import PUBLIC
from api.http.problems import deny
from api.ports import Ports
from api.socket.handshake import Offer, check_origin, check_query, header, parse_offer
from api.socket.session import SocketSession
from schemas.errors import Refused, Unavailable


@websocket("/ws", opt=PUBLIC)
async def connect(socket: WebSocket[Any, Any, Any]) -> None:
    """Questions, answers and progress over one connection: see docs/socket.md."""
    ports: Ports = socket.app.state.ports
    try:
        offer = _check_handshake(socket, ports)
    except (Refused, Unavailable) as error:
        await deny(socket.scope, socket.send, error)
        return
    await socket.accept(subprotocols=offer.subprotocol)
    ports.running.sockets_open += 1
    ports.metrics.sockets_open.set(ports.running.sockets_open)
    try:
        await SocketSession(socket, ports, offer.authorization).run()
    finally:
        ports.running.sockets_open -= 1
        ports.metrics.sockets_open.set(ports.running.sockets_open)


def _check_handshake(socket: WebSocket[Any, Any, Any], ports: Ports) -> Offer:
    """Raises what keeps the connection out."""
    scope, settings = socket.scope, ports.settings.socket
    check_query(scope["query_string"])
    check_origin(header(scope["headers"], b"origin"), header(scope["headers"], b"host"), settings.origins)
    if ports.running.sockets_open >= settings.sockets_max:
        raise Unavailable("overloaded", "all WebSocket connections of this process are taken", retry_after_s=2.0)
    return parse_offer(scope["subprotocols"], header(scope["headers"], b"authorization"))


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[connect])
