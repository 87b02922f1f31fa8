"""Asynchronous client of Claw's HTTP API."""

from claw_client.client import Client, connect
from claw_client.errors import ApiError, DocumentFailed
from claw_client.events import ServerEvent, events

__all__ = ["ApiError", "Client", "DocumentFailed", "ServerEvent", "connect", "events"]
