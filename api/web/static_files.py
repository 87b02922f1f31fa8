"""The static files of pages: one tree, known by the hash of all its content, so that each file may be kept for ever.

A file is compressed when it is first asked for. Tests lie beside what they test and are not served.
"""

import asyncio
import gzip
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import cramjam

from api.web.module_text import drop_comments

FILES = Path(__file__).parent / "files"
HASH_CHARS = 16
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
TEST = ".test.js"
OF_OTHERS = "vendor/"  # their comments have their licences

# By the names of Content-Encoding, the smallest first. The same content has the same bytes: gzip gets no time.
ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "br": lambda content: bytes(cramjam.brotli.compress(content, level=11)),
        "gzip": lambda content: gzip.compress(content, compresslevel=9, mtime=0),
    }
)

_STATIC_IMPORT = re.compile(
    r"""^(?:import|export)\b[^;"']{0,2000}["'](\.{1,2}/[^"']{1,200})["']|^\}\s*from\s*["'](\.{1,2}/[^"']{1,200})["']""", re.MULTILINE
)


@dataclass(frozen=True)
class StaticFile:
    """The content of a file, as it is and in the encodings that somebody has asked for."""

    media_type: str
    content: bytes
    _encoded: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def encode(self, encoding: str) -> bytes:
        """The content in one of ENCODINGS; "" is as it is. The first time takes milliseconds, up to half a second for the largest file."""
        if not encoding:
            return self.content
        if encoding not in self._encoded:
            self._encoded[encoding] = ENCODINGS[encoding](self.content)
        return self._encoded[encoding]

    async def encode_aside(self, encoding: str) -> bytes:
        """The same, the first time in a thread: whoever else is served does not wait for it."""
        if not encoding or encoding in self._encoded:
            return self.encode(encoding)
        return await asyncio.to_thread(self.encode, encoding)


class StaticFiles:
    """The files below a folder by their relative paths, ``tests`` included or not."""

    def __init__(self, root: Path = FILES, *, tests: bool = False) -> None:
        paths = sorted(path for path in root.rglob("*") if path.suffix in TYPES and path.is_file())
        self._files = {
            path.relative_to(root).as_posix(): StaticFile(TYPES[path.suffix], _read(path.relative_to(root).as_posix(), path))
            for path in paths
            if tests or not path.name.endswith(TEST)
        }
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\0{len(file.content)}\0".encode())
            digest.update(file.content)
        self.hash = digest.hexdigest()[:HASH_CHARS]
        """Changes with any file."""

    def get(self, path: str) -> StaticFile | None:
        """The file at this path, None when there is none."""
        return self._files.get(path)

    def names(self) -> tuple[str, ...]:
        """All paths, in order."""
        return tuple(self._files)

    def modules_of(self, *entries: str) -> tuple[str, ...]:
        """The modules that browsers need before ``entries`` can run, these included: all that is imported statically, step by step."""
        found: dict[str, None] = {}
        waiting = list(entries)
        while waiting:
            name = waiting.pop(0)
            if name not in found:
                found[name] = None
                waiting += _imports(name, self._files[name].content.decode())
        return tuple(found)

    def weight(self, names: Iterable[str], encoding: str) -> int:
        """Bytes on the wire in one of ENCODINGS."""
        return sum(len(self._files[name].encode(encoding)) for name in names)


def _read(name: str, path: Path) -> bytes:
    content = path.read_bytes()
    return drop_comments(content.decode()).encode() if name.endswith(".js") and not name.startswith(OF_OTHERS) else content


def _imports(name: str, text: str) -> list[str]:
    return [_resolve(name, found[1] or found[2]) for found in _STATIC_IMPORT.finditer(text)]


def _resolve(name: str, specifier: str) -> str:
    parts = list(PurePosixPath(name).parent.parts)
    for step in specifier.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)
