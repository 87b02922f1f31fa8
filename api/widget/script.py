"""``/embed.js``: the widget as one script, joined from the modules in ``api/web/files/embed`` and what they import.

A page of somebody else loads one file from here, and finds it again unchanged without asking much: it may keep it for minutes, and is then
told by the ETag that it has not changed. Joining is no more than leaving out the words ``import`` and ``export``: the modules have no name
at their top in common, which a browser would refuse to load.
"""

import hashlib
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get

from api.http.gate import OPEN
from api.web.responses import file_response
from api.web.static_files import FILES, StaticFile

FIRST = FILES / "embed" / "claw_chat.js"
PATH = "/embed.js"
KEPT_S = 300
HEADERS = {
    "Cache-Control": f"public, max-age={KEPT_S}",
    "Cross-Origin-Resource-Policy": "cross-origin",  # also for pages that isolate themselves
}

_IMPORT = re.compile(r'^import \{[^}\n]{1,300}\} from "([./\w]{1,100})";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def join_modules(first: Path = FIRST) -> str:
    """The module ``first`` after everything that it imports, each once."""
    texts: dict[Path, str] = {}

    def add(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for specifier in _IMPORT.findall(text):
            if (imported := (path.parent / specifier).resolve()) not in texts:
                add(imported)
        texts[path] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(first.resolve())
    return "\n".join(texts.values())


@cache
def widget_script() -> tuple[StaticFile, str]:
    """The script of this release, joined once, and its ETag."""
    file = StaticFile("text/javascript", join_modules().encode())
    return file, f'"{hashlib.sha256(file.content).hexdigest()[:32]}"'


@get(PATH, opt=OPEN, include_in_schema=False)
async def script(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The script, or that it has not changed."""
    file, etag = widget_script()
    headers = {**HEADERS, "ETag": etag}
    if etag in {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers={**headers, "Vary": "Accept-Encoding"})
    return await file_response(request, file, headers)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[script])
