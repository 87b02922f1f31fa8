"""Questions, answers and feedback."""

from api.area import ApiArea
from api.chats import explain, feedback, models, query, routes
from api.chats.ports import open_ports

AREA = ApiArea(name="chats", routers=(routes.router, feedback.router, explain.router, query.router, models.router), open_ports=open_ports)
