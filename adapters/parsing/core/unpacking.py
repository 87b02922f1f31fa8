"""What a ZIP package unpacks to, counted before another program opens it: a bomb ends here, by the name of a setting."""

import lzma
import struct
import zlib
from io import BytesIO
from zipfile import BadZipFile, ZipFile

from adapters.parsing.core.source import Bounds
from schemas.errors import Refused

READ_BYTES = 65_536
RATIO_FREE_BYTES = 1_048_576  # below that a ratio says nothing
_DIRECTORY_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
_MANIFEST, _ENCRYPTION_DATA = "META-INF/manifest.xml", b"encryption-data"
ZIP_ERRORS = (BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError, KeyError, RuntimeError)


def refuse_encrypted(manifest: bytes) -> None:
    """Raises Refused for the ``manifest`` of an OpenDocument file with a password: each of its parts is encrypted by itself."""
    if _ENCRYPTION_DATA in manifest:
        raise Refused("document_unreadable", "its parts are encrypted; save it without a password")


def check_package(data: bytes, bounds: Bounds) -> None:
    """Raises Refused: ``document_too_complex`` (a limit of archives), ``document_unreadable`` for a broken or encrypted package.

    Sizes in headers are not trusted: unpacked bytes are counted.
    """
    # before the directory is read: a million entries would be a gigabyte of them
    if data.count(_DIRECTORY_ENTRY) > bounds.archive_entries_max:
        raise Refused("document_too_complex", "it packs too many files (CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX)")
    most = min(bounds.archive_bytes_max, RATIO_FREE_BYTES + bounds.archive_ratio_max * len(data))
    try:
        with ZipFile(BytesIO(data)) as archive:
            for info in archive.infolist():
                if info.flag_bits & _ENCRYPTED:
                    raise Refused("document_unreadable", "its parts are encrypted; save it without a password")
                with archive.open(info) as stream:
                    while piece := stream.read(READ_BYTES):
                        if info.filename == _MANIFEST:
                            refuse_encrypted(piece)
                        most -= len(piece)
                        if most < 0:
                            raise Refused(
                                "document_too_complex",
                                f"it unpacks to over {bounds.archive_bytes_max:,} bytes or {bounds.archive_ratio_max:,} times its size "
                                "(CLAW_DOCUMENT_ARCHIVE_BYTES_MAX, CLAW_DOCUMENT_ARCHIVE_RATIO_MAX)",
                            )
    except ZIP_ERRORS as error:
        raise Refused("document_unreadable", f"its package is broken: {error}") from error
