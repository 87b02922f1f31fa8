"""The WebSocket."""

from api.area import ApiArea
from api.socket import routes
from api.socket.ports import open_ports

AREA = ApiArea(name="socket", routers=(routes.router,), open_ports=open_ports)
