"""Sources of citations: where the quote is, and the images of pages."""

from api.area import ApiArea
from api.sources import images, routes
from api.sources.ports import open_ports

AREA = ApiArea(name="sources", routers=(routes.router, images.router), open_ports=open_ports)
