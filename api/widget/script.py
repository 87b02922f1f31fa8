"""``/embed.js``: the widget as one script, joined at the start from the modules in ``api/web/files/embed``.

A page of somebody else loads one file from here, and finds it again unchanged without asking much: it may keep it for minutes, and is then
told by the ETag that it has not changed. Joining is no more than leaving out the words ``import`` and ``export``: the modules have no name
at their top in common, which a browser would refuse to load.
"""

import gzip
import hashlib
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get

from api.http.gate import OPEN

FILES = Path(__file__).parents[1] / "web" / "files" / "embed"
FIRST = "claw_chat.js"
PATH = "/embed.js"
KEPT_S = 300

_IMPORT = re.compile(r'^import \{[^}\n]{1,300}\} from "\./(\w{1,40}\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def join_modules(first: str = FIRST) -> str:
    """The module ``first`` after everything that it imports, each once."""
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        if name in texts:
            return
        texts[name] = ""  # modules that import each other are joined in the order in which they are met
        text = (FILES / name).read_text(encoding="utf-8")
        for imported in _IMPORT.findall(text):
            add(imported)
        del texts[name]
        texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(first)
    return "\n".join(texts.values())


def script_route() -> Any:
    """The route, with the script as it is now."""
    plain = join_modules().encode()
    packed = gzip.compress(plain, 9, mtime=0)
    etag = f'"{hashlib.sha256(plain).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": f"public, max-age={KEPT_S}",
        "Cross-Origin-Resource-Policy": "cross-origin",  # also for pages that isolate themselves
        "Vary": "Accept-Encoding",
    }

    @get(PATH, opt=OPEN, include_in_schema=False, sync_to_thread=False)
    def script(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The script, or that it has not changed."""
        if etag in {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}:
            return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
        encoding = {"Content-Encoding": "gzip"} if accepts_gzip else {}
        return Response(packed if accepts_gzip else plain, headers=headers | encoding, media_type="text/javascript; charset=utf-8")

    return script


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[script_route()])
