"""Conversations and their export; the ports are those of the chats area."""

from api.area import ApiArea
from api.conversations import activity, export, routes

AREA = ApiArea(name="conversations", routers=(routes.router, activity.router, export.router))
