"""Notices: list, preferences, stream; webhooks and their deliveries."""

from api.area import ApiArea
from api.notices import deliveries, routes, webhooks
from api.notices.ports import open_ports

AREA = ApiArea(name="notices", routers=(routes.router, webhooks.router, deliveries.router), open_ports=open_ports)
