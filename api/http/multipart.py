"""A form with one file, parsed as it arrives: the file is passed on in pieces, only the fields are held in memory."""

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from litestar.exceptions import InternalServerException
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header  # type: ignore[import-untyped]

from adapters.text.invisible import strip_invisible
from api.http.file_names import parse_disposition
from api.http.request import NAME_CHARS_MAX, ApiRequest, decode_json
from api.http.responses import invalid_field
from schemas.bodies.uploads import UploadFields
from schemas.errors import Refused

FILE = "file"
PARTS_MAX = 16  # of a form: there are five fields and a file
FIELD_BYTES_MAX = {"metadata": 65_536}  # 32 entries of maximal length, escaped
OTHER_FIELD_BYTES_MAX = 8_192
FORM_BYTES_MAX = 262_144  # of a form without its file
IDLE_S_MAX = 30.0  # without a byte: the client has disconnected, or blocks an upload slot
UPLOAD_S_MAX = 3_600.0  # 1 GiB at 2.4 Mbit/s
FILENAME_CHARS_MAX = 200
CHARSET = re.compile(r"[A-Za-z0-9_.:-]{1,40}")


class Form(Struct, frozen=True, kw_only=True):
    """A complete form. ``media_type`` and ``charset`` are those of the file part; ``filename`` has no folders."""

    fields: UploadFields
    filename: str
    media_type: str
    charset: str


async def read_form(request: ApiRequest, write: Callable[[bytes], Awaitable[None]], file_bytes_max: int) -> Form:
    """Read the request's body, handing its file to ``write`` in pieces.

    Raises Refused: "unsupported_media_type", "upload_incomplete", "document_too_large", "validation_failed"; and what ``write`` raises.
    """
    announced = request.content_length or 0
    if announced > file_bytes_max + FORM_BYTES_MAX:
        raise too_large(file_bytes_max)
    reading = _FormReader(file_bytes_max)
    try:
        # Latin-1 takes any byte: which encoding a client wrote its names in is found out afterwards
        with PushMultipartParser(_boundary(request), max_segment_count=PARTS_MAX, header_charset="latin-1") as parser:
            async with aclosing(_pieces(request)) as pieces:
                async for piece in pieces:
                    for event in parser.parse(piece):
                        if data := reading.take(event):
                            await write(data)
                    reading.check_rest(len(piece))
    except MultipartError as error:
        raise Refused(
            "upload_incomplete", f"the form cannot be read: {str(error.args[0])[:200] if error.args else 'not multipart'}"
        ) from None
    return reading.form()


def too_large(file_bytes_max: int) -> Refused:
    """The refusal of a file that is larger than the installation accepts."""
    return Refused(
        "document_too_large", f"a file may have {file_bytes_max:,} bytes; split it, or have the operator raise CLAW_DOCUMENT_FILE_BYTES_MAX"
    )


class _FormReader:
    """The part of a form read so far."""

    def __init__(self, file_bytes_max: int) -> None:
        self._file_bytes_max = file_bytes_max
        self._fields: dict[str, bytearray] = {}
        self._file: MultipartSegment | None = None
        self._open: bytearray | None = None  # the field being read; None while it is the file
        self._filename = self._name = ""
        self._bytes = self._file_bytes = 0

    def take(self, event: MultipartSegment | bytes | None) -> bytes:
        """Process one event of the parser: a part begins, continues or ends. Returns bytes of the file."""
        if event is None:
            return b""
        if isinstance(event, MultipartSegment):
            self._begin(event)
            return b""
        if self._open is None:
            self._file_bytes += len(event)
            if self._file_bytes > self._file_bytes_max:
                raise too_large(self._file_bytes_max)
            return event
        self._open += event
        limit = FIELD_BYTES_MAX.get(self._name, OTHER_FIELD_BYTES_MAX)
        if len(self._open) > limit:
            raise invalid_field(self._name, "is too long", f"{limit:,} bytes")
        return b""

    def check_rest(self, more: int) -> None:
        """Bound everything but the file."""
        self._bytes += more
        if self._bytes - self._file_bytes > FORM_BYTES_MAX + 65_536:  # the parser holds back what may be the beginning of a boundary
            raise Refused("upload_incomplete", f"the form has more than {FORM_BYTES_MAX:,} bytes beside its file")

    def form(self) -> Form:
        """The complete form; Refused without a file."""
        if self._file is None:
            raise invalid_field(FILE, "is required", "one file")
        if self._file_bytes == 0:
            raise invalid_field(FILE, "is empty", "some content", code="document_empty")
        charset = self._file.charset or ""
        return Form(
            fields=_fields(self._fields),
            filename=plain_name(self._filename),
            media_type=self._file.content_type or "",
            charset=charset if CHARSET.fullmatch(charset) else "",
        )

    def _begin(self, part: MultipartSegment) -> None:
        name, filename = parse_disposition(part.header("Content-Disposition") or "")
        if name in self._fields or (name == FILE and self._file is not None):
            raise invalid_field(name, "appears twice", "once")
        if name == FILE:
            self._file, self._filename, self._open = part, filename, None
        elif name in UploadFields.__struct_fields__:
            self._name, self._open = name, self._fields.setdefault(name, bytearray())
        else:
            raise invalid_field(
                name[:NAME_CHARS_MAX], "is not a field of this form", "one of " + ", ".join((FILE, *UploadFields.__struct_fields__))
            )


def plain_name(filename: str) -> str:
    """The file's name without folders and unprintable characters; of a long name the end."""
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rpartition("/")[2])  # macOS sends letters and their marks apart
    name = "".join(map(_printable, strip_invisible(name))).strip()
    return "" if name in (".", "..") else name[-FILENAME_CHARS_MAX:]


def _printable(character: str) -> str:
    """The character itself also when it joins others; a blank for a wide or narrow one."""
    if character.isprintable() or unicodedata.category(character) == "Cf":
        return character
    return " " if unicodedata.category(character) == "Zs" else ""


def _fields(raw: dict[str, bytearray]) -> UploadFields:
    values: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            values[name] = value.decode()
        except UnicodeDecodeError:
            raise invalid_field(name, "is not UTF-8", "text in UTF-8") from None
    if values.get("document_id") == "":
        del values["document_id"]  # an empty input field
    if "metadata" in values:
        try:
            values["metadata"] = msgspec.json.decode(values["metadata"]) if values["metadata"] else {}
        except (msgspec.DecodeError, RecursionError):
            raise invalid_field("metadata", "is not JSON", 'a JSON object such as {"department": "hr"}') from None
    fields: UploadFields = decode_json(msgspec.json.encode(values), UploadFields)
    return fields


def _boundary(request: ApiRequest) -> str:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        raise Refused("unsupported_media_type", f"send multipart/form-data, not {kind[:NAME_CHARS_MAX] or 'nothing'}")
    return str(options.get("boundary", ""))


async def _pieces(request: ApiRequest) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; Refused when no more of it arrives in time."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + UPLOAD_S_MAX
    try:
        async with aclosing(request.stream()) as stream:
            while True:
                async with asyncio.timeout_at(min(end_s, loop.time() + IDLE_S_MAX)):
                    piece = await anext(stream, b"")
                if not piece:
                    return
                yield piece
    except TimeoutError:
        raise Refused("upload_incomplete", f"nothing arrived for {IDLE_S_MAX:.0f} s, or not everything within an hour") from None
    except InternalServerException as error:  # raised by the framework when the client disconnects
        raise Refused("upload_incomplete", "the connection closed before the form had ended") from error
