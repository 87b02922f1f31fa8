"""Documents: submission, upload and progress."""

from api.area import ApiArea
from api.documents import progress, routes, uploads
from api.documents.ports import open_ports

AREA = ApiArea(name="documents", routers=(routes.router, uploads.router, progress.router), open_ports=open_ports)
