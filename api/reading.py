"""Reading a request body: bounded, UTF-8, strict, and with every bad field named at once.

The framework would convert leniently (``"5"`` passes for 5) and in two steps; this decodes straight into the struct that the handler
declares as ``data``.
"""

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from api.problems import field_error
from schemas.errors import FieldError, Refused

ERRORS_MAX = 20  # fields named in one answer
NAME_CHARS_MAX = 100  # of an unknown field's name, which is echoed


class JsonRequest(Request[Any, Any, Any]):
    """The application's request class. The size limit is counted while the body arrives (``request_max_body_size``)."""

    async def body(self) -> bytes:
        """The whole body; Refused when the client stops in the middle."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise Refused("invalid_request", "the connection closed before the body had ended") from error

    async def json(self) -> Any:
        """The body as the handler's type; Refused names the fields and their limits."""
        media_type = self.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Refused("unsupported_media_type", f"send application/json, not {media_type[:NAME_CHARS_MAX]}")
        field = self.route_handler.parsed_data_field
        return decoded(await self.body(), field.annotation if field else Any)


def decoded(body: bytes, kind: Any) -> Any:
    """``body`` as an instance of the struct ``kind``; Refused("invalid_request" or "validation_failed") otherwise."""
    try:
        return _decoder(kind).decode(body)
    except msgspec.ValidationError:
        errors = _field_errors(body, kind)
        raise Refused("validation_failed", errors=errors) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_request", _unreadable(error)) from None
    except RecursionError:
        raise Refused("invalid_request", "the JSON is nested too deeply") from None


@lru_cache(maxsize=256)  # one per route
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _unreadable(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"the body is not UTF-8 (byte {error.start} of a string)"
    return str(error)


def _field_errors(body: bytes, kind: Any) -> tuple[FieldError, ...]:
    """Everything wrong with the fields, not only what the decoder met first."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_request", _unreadable(error)) from None
    if not isinstance(raw, dict):
        return (FieldError("", "the body is not an object", "a JSON object"),)
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    errors = [
        FieldError(str(name)[:NAME_CHARS_MAX], "is not a field of this request", "one of " + ", ".join(known))
        for name in raw
        if name not in known
    ]
    for name, field in known.items():
        if name in raw:
            errors += _value_errors(name, raw[name], field.type)
        elif field.required:
            errors.append(FieldError(name, "is required"))
    return tuple(errors[:ERRORS_MAX])


def _value_errors(name: str, value: Any, kind: Any) -> list[FieldError]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        return [field_error(name + path.rstrip("`"), message)]
    return []
