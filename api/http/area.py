"""The plumbing has no routes of its own, but ports that every area uses."""

from api.area import ApiArea
from api.http.ports import open_ports

AREA = ApiArea(name="http", open_ports=open_ports)
