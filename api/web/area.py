"""The pages, at the root."""

from api.area import ApiArea
from api.web import routes

AREA = ApiArea(name="web", root_routers=(routes.router,))
