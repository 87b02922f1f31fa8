"""Rate limits and quotas."""

from api.area import ApiArea
from api.limits import routes
from api.limits.ports import open_ports

AREA = ApiArea(name="limits", routers=(routes.router,), open_ports=open_ports)
