"""A file in a response: compressed for browsers that read gzip, which all do."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.web.static_files import StaticFile


def file_response(request: Request[Any, Any, Any], file: StaticFile, headers: Mapping[str, str]) -> Response[bytes]:
    """The file with these headers, and with those of its form."""
    form, content = {"Vary": "Accept-Encoding"}, file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        form["Content-Encoding"], content = "gzip", file.gzip_content
    return Response(content, media_type=file.media_type, headers={**headers, **form})
