"""The shells of pages, and their static files. Neither needs a credential: what a page shows, it asks the API for."""

from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.http.gate import OPEN
from api.web.responses import file_response
from api.web.shell import PAGES, POLICY, make_shells
from api.web.static_files import StaticFiles

SHELL_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Cross-Origin-Opener-Policy": "same-origin"}
FILE_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}
PATHS = [
    "/",
    *(f"/{name}" for name in PAGES if name),
    *(f"/{name}/{{path:path}}" for name in ("chat", "knowledge", "operations", "account")),
]


@cache
def static_files() -> StaticFiles:
    """The tree of this release, read once."""
    return StaticFiles()


@cache
def _shells() -> dict[str, bytes]:
    return make_shells(static_files())


@get(PATHS, opt=OPEN, include_in_schema=False, sync_to_thread=False)
def shell(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The document of the page at this path."""
    page = PAGES[request.url.path.split("/", 2)[1]]
    return Response(_shells()[page], media_type="text/html", headers=SHELL_HEADERS)


@get("/static/{tree:str}/{path:path}", opt=OPEN, include_in_schema=False)
async def static_file(request: Request[Any, Any, Any], tree: FromPath[str], path: FromPath[Path]) -> Response[bytes]:
    """A file of this release. Those of other releases are not found: what asks for them is outdated, and loads its shell again."""
    files = static_files()
    file = files.get(path.as_posix().lstrip("/")) if tree == files.hash else None
    if file is None:
        raise NotFoundException
    return await file_response(request, file, FILE_HEADERS)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[shell, static_file])
