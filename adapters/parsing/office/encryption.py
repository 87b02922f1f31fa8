"""Encrypted Office files: opened with their password, in memory."""

import struct
from io import BytesIO
from typing import Any
from xml.parsers.expat import ExpatError

import msoffcrypto  # type: ignore[import-untyped]
import olefile  # type: ignore[import-untyped]
from msoffcrypto import exceptions

from schemas.errors import Refused

INFO_BYTES_MAX = 64 * 1024  # keys and salts; real ones have about 1 KB
SPINS_MAX = 1_000_000  # hashes to try one password; Office does 100,000, a tenth of a second
OLD_BYTES_MAX = 32 * 1024**2  # an old file takes ten times its size while it is decrypted
DEFAULT_PASSWORD = "VelvetSweatshop"  # noqa: S105  Excel opens with it what only must not be changed
_INFO, _OLD_STREAMS = "EncryptionInfo", ("Workbook", "Book", "WordDocument", "PowerPoint Document")
# what a broken container or broken keys make the two libraries raise
_CONTAINER_ERRORS = (
    exceptions.FileFormatError,
    exceptions.ParseError,
    exceptions.DecryptionError,
    ExpatError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    AssertionError,
)


def decrypt(data: bytes, password: str) -> bytes:
    """The decrypted file in an OLE2 container: a package, or an Office file of before 2007.

    Raises Refused: ``password_required``, ``password_wrong``, ``document_type_unsupported``, ``document_unreadable``.
    """
    try:
        names = _stream_names(data)
        if _INFO not in names and not names.intersection(_OLD_STREAMS):
            raise Refused("document_type_unsupported", "it is an OLE2 container and no Office file")
        if "Book" in names:  # Excel 5 and 95, which msoffcrypto does not know
            return data
        file = msoffcrypto.OfficeFile(BytesIO(data))
        if not file.is_encrypted():
            return data
        if file.format != "ooxml" and len(data) > OLD_BYTES_MAX:
            raise Refused("document_too_complex", f"an encrypted Office file of before 2007 may have {OLD_BYTES_MAX:,} bytes")
        return _decrypt_file(file, password)
    except _CONTAINER_ERRORS as error:
        raise Refused("document_unreadable", f"its container or its encryption is broken: {error}") from error


def _stream_names(data: bytes) -> set[str]:
    """The streams at the top. The description of the encryption is checked first: it is XML, which msoffcrypto parses without limits."""
    with olefile.OleFileIO(BytesIO(data)) as container:
        names = {path[0] for path in container.listdir() if len(path) == 1}
        if _INFO in names:
            if container.get_size(_INFO) > INFO_BYTES_MAX:
                raise Refused("document_unreadable", "the description of its encryption is too long")
            if b"<!DOCTYPE" in container.openstream(_INFO).read().replace(b"\0", b""):
                raise Refused("document_unreadable", "the description of its encryption declares a document type")
    return names


def _decrypt_file(file: Any, password: str) -> bytes:
    if file.format == "ooxml" and file.type == "agile" and file.info["spinValue"] > SPINS_MAX:
        raise Refused("document_too_complex", f"its password is hashed more than {SPINS_MAX:,} times")
    if not _accepts_password(file, password or DEFAULT_PASSWORD):
        raise Refused("password_wrong" if password else "password_required")
    opened = BytesIO()
    file.decrypt(opened)
    return opened.getvalue()


def _accepts_password(file: Any, password: str) -> bool:
    try:
        if file.format == "ooxml":
            file.load_key(password=password, verify_password=True)
        else:
            file.load_key(password=password)
    except exceptions.InvalidKeyError:
        return False
    return True
