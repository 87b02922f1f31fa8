"""The request as handlers see it: caller, trace, ids, ports, and a strictly parsed body.

The framework would convert bodies leniently (``"5"`` for 5) and in two steps; this decodes directly into the struct that the handler
declares as ``data``, and reports every invalid field at once.
"""

import hashlib
import hmac
from functools import cached_property, lru_cache
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from litestar import Request
from litestar.enums import HttpMethod
from litestar.exceptions import InternalServerException

from api.area import OpenPorts, ports_of
from api.core import Core
from api.http.envelope import traceparent_of
from api.http.idempotency import check_key
from api.http.identity import Caller
from api.http.ports import HttpPorts
from api.http.problems import field_error
from schemas import ids
from schemas.errors import FieldError, Refused
from schemas.events import Event

ERRORS_MAX = 20  # fields reported in one response
NAME_CHARS_MAX = 100  # of an unknown field's name in the report


E = TypeVar("E", bound=Event)
P = TypeVar("P")


class ApiRequest(Request[Caller, Any, Any]):
    """The application's request class. The size limit is counted while the body arrives (``request_max_body_size``)."""

    @cached_property
    def _open_ports(self) -> OpenPorts:
        return ports_of(self.app)  # the application's state is slow to read

    def ports(self, kind: type[P]) -> P:
        """The ports of this type, such as those of the handler's area."""
        return self._open_ports(kind)

    @cached_property
    def core(self) -> Core:
        """The process core."""
        return self.ports(Core)

    @cached_property
    def http(self) -> HttpPorts:
        """The plumbing: authentication, limits, idempotency, access to records."""
        return self.ports(HttpPorts)

    async def take_stream(self) -> None:
        """Take one of the caller's event streams until the response has ended. Refused("too_many_streams"), Unavailable("overloaded")."""
        self.http.streams.check_capacity()
        await self.http.caps.hold(self.scope, "streams", self.user)

    @property
    def public_url(self) -> str:
        """The URL by which clients reach this API, without a slash at its end: from the settings, else from this request's Host header."""
        return self.core.settings.node.public_url.rstrip("/") or str(self.base_url).rstrip("/")

    @property
    def traceparent(self) -> str:
        """The trace context of every event of this request."""
        return traceparent_of(self.scope)

    @property
    def idempotency_key(self) -> str | None:
        """The client's ``Idempotency-Key``; None when it sent none."""
        return self.headers.get("idempotency-key")

    async def new_id(self, name: str, tenant: str = "", user: str = "") -> str:
        """A UUID for the record ``name`` that this request creates.

        With an ``Idempotency-Key`` a repeated POST gets the same one, so that nothing is duplicated. The body is part of it: the same key
        with another body is another request, even while Redis is down and the conflict goes unnoticed.
        """
        key = self.idempotency_key
        if key is None or self.method != HttpMethod.POST:
            return ids.random_id(self.core.random_bytes)
        check_key(key)
        # keyed: ids are public, and a plain hash of a body would let whoever guesses the key try what may have stood in it
        digest = hmac.new(self.core.settings.auth.secret.reveal().encode(), await self.body(), hashlib.sha256).hexdigest()
        return ids.derive("request", tenant, user, self.scope["path"], key, digest, name)

    async def event_id(self, kind: type[Event], subject: str, caller: Caller | None = None) -> str:
        """The id of this request's event of a kind about ``subject``; a repeat with the same ``Idempotency-Key`` reproduces it."""
        caller = caller or self.user
        return await self.new_id(f"{kind.type_name()}:{subject}", caller.tenant, caller.account_id)

    async def event(self, kind: type[E], subject: str, data: Any, caller: Caller | None = None) -> E:
        """An event of this request, with its tenant, its trace and an id that a repeat reproduces."""
        caller = caller or self.user
        return kind(
            id=await self.event_id(kind, subject, caller),
            source="/claw/api",
            subject=subject,
            time=self.core.clock.now(),
            tenant=caller.tenant,
            traceparent=self.traceparent,
            data=data,
        )

    def replace_body(self, body: bytes) -> None:
        """Set the bytes that ``body()`` returns for a body that was read as a stream; they identify its content."""
        self._body = body

    async def body(self) -> bytes:
        """The whole body; Refused when the connection closes before its end."""
        try:
            return await super().body()
        except InternalServerException as error:
            raise Refused("invalid_request", "the connection closed before the body had ended") from error

    async def json(self) -> Any:
        """The body as the handler's type, None for an empty one that it does not need; Refused names the fields and their limits."""
        media_type = self.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Refused("unsupported_media_type", f"send application/json, not {media_type[:NAME_CHARS_MAX]}")
        field = self.route_handler.parsed_data_field
        body, kind = await self.body(), field.annotation if field else Any
        if field is not None and field.is_optional:
            if not body:
                return None
            kind = next(each for each in get_args(kind) if each is not NoneType)
        return decode_json(body, kind)


def decode_json(body: bytes, kind: Any) -> Any:
    """``body`` as an instance of the struct ``kind``; Refused("invalid_request" or "validation_failed") otherwise."""
    try:
        return _decode(_decoder(kind), body)
    except msgspec.ValidationError:
        raise Refused("validation_failed", errors=_field_errors(_decode_untyped(body), kind)) from None


def _decode_untyped(body: bytes) -> Any:
    """JSON of any type. A number that no type can hold (``1e999``) is a ValidationError even here, without the name of its field."""
    try:
        return _decode(_UNTYPED, body)
    except msgspec.ValidationError as error:
        raise Refused("invalid_request", f"the JSON has a value that cannot be read: {error}") from None


@lru_cache(maxsize=256)  # one per route
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


_UNTYPED = msgspec.json.Decoder(Any)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Raises Refused("invalid_request") for invalid JSON, msgspec.ValidationError for JSON of another type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise Refused("invalid_request", str(error)) from None
    except UnicodeDecodeError as error:
        raise Refused("invalid_request", f"the body is not UTF-8 (byte {error.start} of a string)") from None
    except RecursionError:
        raise Refused("invalid_request", "the JSON is nested too deeply") from None


def _field_errors(raw: Any, kind: Any) -> tuple[FieldError, ...]:
    """Every error of the fields, not only the first that the decoder met."""
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
    if kind is msgspec.Raw:
        return []  # parsed later by its handler
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        wrong = field_error(name + path.rstrip("`"), message)
        return [wrong if wrong.limit else FieldError(wrong.field, wrong.detail, _choices(kind))]
    return []


def _choices(kind: Any) -> str:
    """The values of a choice, which msgspec's message leaves out."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return next(filter(None, (_choices(part) for part in get_args(kind) if part is not kind)), "")
