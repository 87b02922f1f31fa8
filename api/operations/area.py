"""Health, cache and dead letters."""

from api.area import ApiArea
from api.operations import cache, dead_letters, health
from api.operations.ports import open_ports

AREA = ApiArea(name="operations", routers=(dead_letters.router, cache.router), root_routers=(health.router,), open_ports=open_ports)
