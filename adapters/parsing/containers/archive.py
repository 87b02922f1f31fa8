"""ZIP archives: each file inside is parsed like a file of its own. Nothing is written to disk; names are labels, never paths.

Sizes in headers are not trusted. Unpacked bytes are counted, entries are counted before the first is opened, and nested archives share one
allowance, so that neither a bomb nor an archive that contains itself takes more than a document may.
"""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

import pyzipper  # type: ignore[import-untyped]

from adapters.parsing.containers.nested import Contents, EntryParser
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.detect import central_directory
from adapters.parsing.core.encodings import decode
from adapters.parsing.core.source import Allowance, Entry, check_depth
from schemas.errors import Refused

READ_BYTES = 65_536
RATIO_FREE_BYTES = 1_048_576  # below that a ratio says nothing
ENCRYPTED = 0x1
NAME_IN_UTF8 = 0x800

_DIRECTORY_ENTRY = b"PK\x01\x02"
AES = 99  # the compression method that an encrypted entry names; the real one is in an extra field
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    pyzipper.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    KeyError,
    NotImplementedError,
)
_SYSTEM_FILES = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


def parse_zip(entry: Entry, parse_inner: EntryParser) -> ParsedText:
    """The files in order, each under its name. A file that cannot be parsed becomes a note, unless none can.

    Raises Refused: ``document_unreadable``, ``document_too_complex`` (a limit), ``document_empty``, ``password_required``,
    ``password_wrong``, or the refusal of the files inside when none can be parsed.
    """
    check_depth(entry)
    listed = central_directory(entry.data)
    if listed is None:
        raise Refused("document_unreadable", "the archive is cut off: its list of files is missing")
    if entry.data.count(_DIRECTORY_ENTRY, *listed) > entry.bounds.archive_entries_max:
        raise Refused("document_too_complex", "it holds too many files (CLAW_DOCUMENT_ARCHIVE_ENTRIES_MAX)")
    allowance = entry.allowance or Allowance.of(entry.bounds)
    contents = Contents(Assembly(entry.bounds.chars_max), entry, allowance, parse_inner)
    try:
        archive = _open_archive(entry.data)
    except _ARCHIVE_ERRORS as error:
        raise Refused("document_unreadable", f"the archive is broken: {error}") from error
    with archive:
        for info, name in _list_files(archive.infolist()):
            try:
                allowance.take_entry()
                data = _inflate(archive, info, entry, allowance)
            except Refused as refusal:
                contents.leave_out(name, refusal)
            else:
                contents.read(data, name)
    return contents.build()


def _list_files(infos: list[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Files and their names. Names without the UTF-8 flag share one encoding, that of the packer's system; guessed from all of them."""
    files = [info for info in infos if not info.filename.endswith("/")]
    unmarked = [info.orig_filename.encode("cp437", "replace") for info in files if not info.flag_bits & NAME_IN_UTF8]
    guessed = iter(decode(b"\n".join(name.replace(b"\n", b" ") for name in unmarked)).split("\n"))
    for info in files:
        name = info.filename if info.flag_bits & NAME_IN_UTF8 else next(guessed, info.filename)
        base = name.replace("\\", "/").rpartition("/")[2]
        if not name.startswith(_SYSTEM_FILES) and base not in _SYSTEM_FILES and not base.startswith("._"):
            yield info, name


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry, allowance: Allowance) -> bytes:
    encrypted = info.flag_bits & ENCRYPTED
    if encrypted and not entry.password:
        raise Refused("password_required", "it is encrypted")
    bytes_max = RATIO_FREE_BYTES + entry.bounds.archive_ratio_max * info.compress_size
    parts: list[bytes] = []
    length = 0
    try:
        for part in _read_pieces(archive, info, entry):
            length += len(part)
            allowance.take_bytes(len(part))
            if length > bytes_max:
                raise Refused("document_too_complex", "it unpacks to too much for its size (CLAW_DOCUMENT_ARCHIVE_RATIO_MAX)")
            parts.append(part)
    except RuntimeError as error:  # what zipfile raises for a wrong password, and NotImplementedError's base
        if encrypted and not isinstance(error, NotImplementedError):
            raise Refused("password_wrong", "the password does not open it") from error
        raise Refused("document_unreadable", f"it cannot be unpacked: {error}") from error
    except _ARCHIVE_ERRORS as error:
        # one wrong password in 256 passes the check at the start and fails at the end
        raise Refused("password_wrong" if encrypted else "document_unreadable", f"it cannot be unpacked: {error}") from error
    return b"".join(parts)


def _read_pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry) -> Iterator[bytes]:
    with archive.open(info, pwd=entry.password.encode() if info.flag_bits & ENCRYPTED else None) as file:
        while part := file.read(READ_BYTES):
            yield part


def _open_archive(data: bytes) -> zipfile.ZipFile:
    """The standard library's archive, or one of the same interface when files are under WinZip's AES, which that cannot open."""
    archive = zipfile.ZipFile(BytesIO(data))
    if not any(info.compress_type == AES for info in archive.infolist()):
        return archive
    archive.close()
    sealed: zipfile.ZipFile = pyzipper.AESZipFile(BytesIO(data))
    return sealed
