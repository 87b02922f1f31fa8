"""The CloudEvents 1.0 envelope (structured JSON mode) that every event is.

An event class is the envelope plus typed ``data``; its ``type`` attribute is the union's tag, so one decoder reads a whole family in one
pass. A released field never changes its meaning: add with a default, or make a ``.v2`` type.
"""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

from schemas import ids


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """CloudEvents attributes. ``subject`` is the entity; extensions: ``tenant``, ``traceparent`` (W3C), ``causationid``."""

    specversion: Annotated[str, Meta(description="The version of CloudEvents.", extra_json_schema={"const": "1.0"})] = "1.0"
    id: Annotated[str, Meta(description="A repeated delivery has the same id: de-duplicate by it.")]
    source: Annotated[str, Meta(description="`/claw/` and the writer.")]
    subject: Annotated[str, Meta(description="The entity that the event is about.")]
    time: Annotated[datetime, Meta(description="When it was made, in UTC.")]
    datacontenttype: Annotated[str, Meta(description="The type of `data`.")] = "application/json"
    tenant: Annotated[str, Meta(description="The tenant that the event belongs to; `-` for the installation.")]
    traceparent: Annotated[str, Meta(description="W3C trace context of the request, or the record, that it all began with.")]
    causationid: Annotated[str, Meta(description="The id of the event that caused this one; empty for the first.")] = ""
    data: Any  # narrowed by every event class

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents ``type``, such as ``claw.document.submitted.v1``."""
        return str(cls.__struct_config__.tag)

    @classmethod
    def from_cause(cls, cause: "Event", agent: str, *, data: Any, now: datetime, subject: str = "", ordinal: int = 0) -> Self:
        """The event that ``agent`` makes of ``cause``: same tenant and trace, an id that a repeat gives again.

        ``agent`` may carry a distinction after a colon, which is no part of the source. ``ordinal`` distinguishes several events of one
        agent from one cause; ``subject`` defaults to the cause's.
        """
        return cls(
            id=ids.event_id(cause.id, f"{agent}:{cls.type_name()}", ordinal),
            source=f"/claw/{agent.partition(':')[0]}",
            subject=subject or cause.subject,
            time=now,
            tenant=cause.tenant,
            traceparent=cause.traceparent,
            causationid=cause.id,
            data=data,
        )

    def with_content_id(self, content: bytes) -> Self:
        """This event with an id that ``content`` is part of: a repeat that finds something else, such as another result of a search, is
        another event.
        """
        return msgspec.structs.replace(self, id=ids.content_id(self.id, content))

    def with_data_id(self) -> Self:
        """The same with all its data as the content."""
        return self.with_content_id(_ENCODER.encode(self.data))


def encode(event: Event) -> bytes:
    """The event as it lies on its topic."""
    return _ENCODER.encode(event)


_ENCODER = msgspec.json.Encoder()
