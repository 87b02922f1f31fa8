"""Schedules."""

from api.area import ApiArea
from api.schedules import routes
from api.schedules.ports import open_ports

AREA = ApiArea(name="schedules", routers=(routes.router,), open_ports=open_ports)
