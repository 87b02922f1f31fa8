"""Tasks and dead letters."""

from api.area import ApiArea
from api.tasks import actions, bulk, dead_letters, routes
from api.tasks.ports import open_ports

AREA = ApiArea(name="tasks", routers=(routes.router, actions.router, bulk.router, dead_letters.router), open_ports=open_ports)
