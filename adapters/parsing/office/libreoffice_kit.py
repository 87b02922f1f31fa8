"""LibreOffice as a library (LibreOfficeKit), called through its C interface: its program insists on a socket that a parser may not make.

See include/LibreOfficeKit/LibreOfficeKit.h: structures that point to a table of functions. Once loaded it stays in the process.
"""

import ctypes
import os
from functools import cache
from pathlib import Path

from adapters.parsing.core.programs import LIBREOFFICE_LIBRARIES, LIBREOFFICE_PROFILE, find_libreoffice
from schemas.errors import Refused

_MESSAGE_CHARS_MAX = 300


class _OfficeFunctions(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("destroy", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("load", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)),
        ("error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
    )


class _Office(ctypes.Structure):
    _fields_ = (("functions", ctypes.POINTER(_OfficeFunctions)),)


class _DocumentFunctions(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_size_t),
        ("destroy", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("save", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)),
    )


class _Document(ctypes.Structure):
    _fields_ = (("functions", ctypes.POINTER(_DocumentFunctions)),)


def convert(source: Path, target: Path, format_name: str) -> None:
    """``source`` in another format, such as ``docx``. Raises Refused("document_unreadable")."""
    office = _load_office()
    functions = ctypes.cast(office, ctypes.POINTER(_Office)).contents.functions.contents
    document = functions.load(office, source.as_uri().encode())
    if not document:
        said = (functions.error(office) or b"").decode("utf-8", "replace")
        raise Refused("document_unreadable", f"LibreOffice cannot read it: {said[:_MESSAGE_CHARS_MAX] or 'no reason is given'}")
    of_document = ctypes.cast(document, ctypes.POINTER(_Document)).contents.functions.contents
    try:
        if not of_document.save(document, target.as_uri().encode(), format_name.encode(), None):
            raise Refused("document_unreadable", "LibreOffice cannot convert it")
    finally:
        of_document.destroy(document)


@cache
def _load_office() -> int:
    """The library, started: seconds. Its profile and what it writes meanwhile lie in a folder that stays from one document to the next."""
    folder = Path(find_libreoffice())
    library = ctypes.CDLL(str(next(path for name in LIBREOFFICE_LIBRARIES if (path := folder / name).is_file())))
    start = library.libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_char_p)
    profile = Path(os.environ.get("HOME", "/"), LIBREOFFICE_PROFILE)
    temporary = profile / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    office = start(str(folder).encode(), profile.as_uri().encode())
    if not office:
        raise Refused("document_unreadable", "LibreOffice does not start")
    return int(office)
