"""The OpenAI-compatible routes; the ports are those of the chats and knowledge areas."""

from api.area import ApiArea
from api.openai import routes

AREA = ApiArea(name="openai", root_routers=(routes.router,))
