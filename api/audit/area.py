"""The audit log."""

from api.area import ApiArea
from api.audit import routes
from api.audit.ports import open_ports

AREA = ApiArea(name="audit", routers=(routes.router,), open_ports=open_ports)
