"""Documents: submission, upload, progress, versions, and what was refused at the inbox."""

from api.area import ApiArea
from api.documents import progress, refusals, routes, uploads, versions
from api.documents.ports import open_ports

AREA = ApiArea(
    name="documents", routers=(routes.router, uploads.router, progress.router, refusals.router, versions.router), open_ports=open_ports
)
