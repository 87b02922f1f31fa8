"""Erasures."""

from api.area import ApiArea
from api.erasures import routes
from api.erasures.ports import open_ports

AREA = ApiArea(name="erasures", routers=(routes.router,), open_ports=open_ports)
