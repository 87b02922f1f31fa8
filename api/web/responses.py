"""A file in a response, compressed as well as the browser can read."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.web.static_files import ENCODINGS, StaticFile


def choose_encoding(accepted: str) -> str:
    """The best of ENCODINGS that an Accept-Encoding header names, unless with q=0; "" where it names none."""
    names = set()
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if weight.replace(" ", "").rstrip("0").rstrip(".") not in {"q=", "q=0"}:
            names.add(name.strip())
    return next((encoding for encoding in ENCODINGS if encoding in names), "")


async def file_response(request: Request[Any, Any, Any], file: StaticFile, headers: Mapping[str, str]) -> Response[bytes]:
    """The file with these headers, and with those of its form."""
    encoding = choose_encoding(request.headers.get("accept-encoding", ""))
    form = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": encoding} if encoding else {})
    return Response(await file.encode_aside(encoding), media_type=file.media_type, headers={**headers, **form})
