"""Knowledge bases, their search and their indexes."""

from api.area import ApiArea
from api.knowledge import indexes, routes, search
from api.knowledge.ports import open_ports

AREA = ApiArea(name="knowledge", routers=(routes.router, search.router, indexes.router), open_ports=open_ports)
