"""The base of every group of settings."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Secret:
    """A value that never appears in logs, reprs or JSON; only ``reveal()`` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"


class Section(Struct, frozen=True, kw_only=True):
    """A group of settings that share a prefix."""

    prefix: ClassVar[str] = "CLAW_"
