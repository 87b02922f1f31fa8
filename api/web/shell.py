"""The HTML document of every page: it names the styles and modules of the page, and the modules draw the rest."""

from collections.abc import Mapping
from types import MappingProxyType

from api.web.static_files import StaticFiles

START = "core/start.js"
STYLES = ("design/tokens.css", "design/base.css", "design/components.css", "design/markdown.css")
# the folder of the page by the first part of the path; everything else is not found
PAGES: Mapping[str, str] = MappingProxyType(
    {
        "": "chat",
        "chat": "chat",
        "knowledge": "knowledge",
        "operations": "operations",
        "account": "account",
        "embed": "embed",
        "sign-in": "sign_in",
        "register": "sign_in",
        "verify-email": "sign_in",
        "reset-password": "sign_in",
        "invitation": "sign_in",
        "erasure": "sign_in",
    }
)

# Nothing but our own files runs, is loaded or is asked; no inline script or style, no plug-in, no frame around it.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def make_shells(files: StaticFiles) -> dict[str, bytes]:
    """The document of each page by the name of its folder."""
    return {page: _make_shell(files, page).encode() for page in sorted(set(PAGES.values()))}


def first_load(files: StaticFiles, page: str) -> tuple[str, ...]:
    """The files that a browser fetches before the page can be used."""
    styles = (*STYLES, *(name for name in (_style_of(page),) if files.get(name) is not None))
    return (*styles, "core/appearance.js", *files.modules_of(START, f"pages/{page}/page.js"))


def _style_of(page: str) -> str:
    return f"pages/{page}/page.css"


def _make_shell(files: StaticFiles, page: str) -> str:
    base = f"/static/{files.hash}"
    names = first_load(files, page)
    styles = "\n".join(f'<link rel="stylesheet" href="{base}/{name}">' for name in names if name.endswith(".css"))
    modules = "\n".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in names if name.endswith(".js"))
    return f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<title>Claw</title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="{base}/design/icon.svg" type="image/svg+xml">
<script src="{base}/core/appearance.js"></script>
{styles}
{modules}
<script type="module" src="{base}/{START}"></script>
</head>
<body><div id="app"></div><noscript>Claw needs JavaScript. 本页需要 JavaScript。</noscript></body>
</html>
"""
