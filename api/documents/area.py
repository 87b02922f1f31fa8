"""Documents: submission, upload, progress, and what was refused at the inbox."""

from api.area import ApiArea
from api.documents import progress, refusals, routes, uploads
from api.documents.ports import open_ports

AREA = ApiArea(name="documents", routers=(routes.router, uploads.router, progress.router, refusals.router), open_ports=open_ports)
