"""Widgets that pages of others embed; the ports are those of the chats area, and the count of the day's questions."""

from api.area import ApiArea
from api.widget import routes, script
from api.widget.ports import open_ports

AREA = ApiArea(
    name="widget",
    routers=(routes.router,),
    root_routers=(script.router,),
    open_ports=open_ports,
    any_origin=(f"/api/v1{routes.ROOT}/", script.PATH),
)
