"""Statistics of use."""

from api.area import ApiArea
from api.statistics import routes
from api.statistics.ports import open_ports

AREA = ApiArea(name="statistics", routers=(routes.router,), open_ports=open_ports)
