"""The packages that pages use, copied into the tree of static files: ``python -m ops.web.vendor`` (needs npm; pages need nothing of it).

``api/web/packages.json`` names each with version and licence. A file becomes an ES module that imports its neighbours by relative paths,
because browsers know no packages; the hash of each result is written beside its name, so that a test sees a file that was changed by hand.
"""

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from api.web.static_files import FILES
from ops.supply_chain.components import VENDORED

VENDOR = FILES / "vendor"
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "license")
MODULES = {  # the names by which packages import each other
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals_core.js",
}
_IMPORT = re.compile(rf"""(\bfrom\s*)(["'])({"|".join(map(re.escape, MODULES))})\2""")
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]{0,2000}\}\s*")
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=[^\n]{0,200}\n?")


def read_packages() -> dict[str, Any]:
    """The list of packages: ``packages`` with name, version, licence, purpose and files; ``globals`` of those that are no modules."""
    return dict(json.loads(VENDORED.read_text(encoding="utf-8")))


def make_module(text: str, global_name: str = "") -> str:
    """The file as an ES module for browsers; ``global_name`` is what a script that is no module defines."""
    text = _IMPORT.sub(lambda found: f"{found[1]}{found[2]}{MODULES[found[3]]}{found[2]}", _SOURCE_MAP.sub("\n", text))
    if not global_name:
        return text
    if "typeof exports" in text[:600]:  # a universal module: it is told that it is a CommonJS one
        head, rest = text.split("\n", 1)
        return f"{head}\nconst module={{exports:{{}}}},exports=module.exports;\n{rest.rstrip()}\nexport default module.exports;\n"
    return f"{text.rstrip()}\nexport default {global_name};\n"


def make_style(text: str) -> str:
    """The style sheet for browsers, without fonts: it names files that are not served, and the system has all of their signs."""
    return _FONT_FACE.sub("", text)


def main() -> int:
    """Fetch, write, and print what was written."""
    listed = read_packages()
    hashes: dict[str, str] = {}
    VENDOR.mkdir(exist_ok=True)
    for package in listed["packages"]:
        with tempfile.TemporaryDirectory() as folder:
            content = _fetch(f"{package['name']}@{package['version']}", Path(folder))
        for path, name in package["files"].items():
            text = content[path]
            result = make_style(text) if name.endswith(".css") else make_module(text, listed["globals"].get(name, ""))
            (VENDOR / name).write_text(result, encoding="utf-8")
            hashes[name] = hashlib.sha256(result.encode()).hexdigest()
        licence = next(content[name] for name in LICENCES if name in content)
        (VENDOR / f"{package['name'].rpartition('/')[2]}.LICENSE.txt").write_text(licence, encoding="utf-8")
        print(package["name"], package["version"])
    (FILES.parent / "packages.lock.json").write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
    return 0


def _fetch(specifier: str, folder: Path) -> dict[str, str]:
    """The text files of a package by their paths."""
    packed = subprocess.run(["npm", "pack", "--silent", specifier], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603, S607 - names of our own list
    with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode("utf-8", "replace")  # type: ignore[union-attr]  # files have content
            for member in archive.getmembers()
            if member.isfile()
        }


if __name__ == "__main__":
    sys.exit(main())
