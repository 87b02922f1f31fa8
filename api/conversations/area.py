"""Conversations and their export; the ports are those of the chats area."""

from api.area import ApiArea
from api.conversations import activity, export, message_search, routes

AREA = ApiArea(name="conversations", routers=(routes.router, activity.router, export.router, message_search.router))
