"""Live configuration."""

from api.area import ApiArea
from api.configs import routes
from api.configs.ports import open_ports

AREA = ApiArea(name="configs", routers=(routes.router,), open_ports=open_ports)
