"""Health and cache."""

from api.area import ApiArea
from api.operations import cache, health
from api.operations.ports import open_ports

AREA = ApiArea(name="operations", routers=(cache.router,), root_routers=(health.router,), open_ports=open_ports)
