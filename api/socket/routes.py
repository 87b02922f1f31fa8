"""The route of the WebSocket: the checks of the handshake, and the count of connections."""

from dataclasses import replace
from typing import Any

from litestar import Router, WebSocket, websocket

from api.area import ports_of
from api.http.gate import PUBLIC
from api.http.problems import deny
from api.socket.handshake import Offer, check_origin, check_query, header, parse_offer
from api.socket.ports import SocketPorts
from api.socket.session import SocketSession
from schemas.errors import Refused, Unavailable


@websocket("/ws", opt=PUBLIC)
async def connect(socket: WebSocket[Any, Any, Any]) -> None:
    """Questions, answers and progress over one connection: see docs/socket.md."""
    ports = ports_of(socket.app)(SocketPorts)
    try:
        offer = _check_handshake(socket, ports)
    except (Refused, Unavailable) as error:
        await deny(socket.scope, socket.send, error)
        return
    await socket.accept(subprotocols=offer.subprotocol)
    with ports.sockets.enter():
        await SocketSession(socket, ports, offer.authorization).run()


def _check_handshake(socket: WebSocket[Any, Any, Any], ports: SocketPorts) -> Offer:
    """Raises the refusal of the handshake."""
    scope, settings = socket.scope, ports.core.settings.socket
    check_query(scope["query_string"])
    check_origin(header(scope["headers"], b"origin"), header(scope["headers"], b"host"), settings.origins)
    ports.sockets.check_capacity()
    offer = parse_offer(scope["subprotocols"], header(scope["headers"], b"authorization"))
    if offer.authorization or not (token := ports.http.pages.access_token(scope)):
        return offer
    ports.http.pages.check_origin(scope, required=True)  # the browser sends its cookie with the connection of any page
    return replace(offer, authorization=f"Bearer {token}")


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[connect])
