"""Settings described for people: name, type, limits and meaning, from the sections themselves."""

from collections.abc import Iterator

import msgspec.inspect
from msgspec import NODEFAULT, Struct

from schemas.settings.section import Secret, Section


class Variable(Struct, frozen=True, kw_only=True):
    """One setting as text. ``default`` is empty when there is none; ``limits`` are the accepted values."""

    field: str
    name: str
    kind: str
    default: str
    limits: str
    meaning: str
    secret: bool


def variables(section: type[Section]) -> Iterator[Variable]:
    """The settings of a section, in order."""
    described = msgspec.inspect.type_info(section)
    assert isinstance(described, msgspec.inspect.StructType)
    for field in described.fields:
        meaning, kind = "", field.type
        if isinstance(kind, msgspec.inspect.Metadata):
            meaning, kind = (kind.extra_json_schema or {}).get("description", ""), kind.type
        if isinstance(kind, msgspec.inspect.UnionType):  # a value, or none
            kind = next(each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
        if isinstance(kind, msgspec.inspect.Metadata):
            kind = kind.type
        secret = isinstance(kind, msgspec.inspect.CustomType) and kind.cls is Secret
        default = "" if secret or field.default in (NODEFAULT, None) else field.default
        yield Variable(
            field=field.name,
            name=section.prefix + field.name.upper(),
            kind="secret" if secret else _kind(kind),
            default=str(default).lower() if isinstance(default, bool) else str(default),
            limits=_limits(kind),
            meaning=meaning,
            secret=secret,
        )


def _kind(kind: msgspec.inspect.Type) -> str:
    names: dict[type, str] = {
        msgspec.inspect.IntType: "integer",
        msgspec.inspect.FloatType: "number",
        msgspec.inspect.BoolType: "boolean",
        msgspec.inspect.LiteralType: "choice",
        msgspec.inspect.CustomType: "path",
    }
    return names.get(type(kind), "text")


def _limits(kind: msgspec.inspect.Type) -> str:
    if isinstance(kind, msgspec.inspect.LiteralType):
        return " · ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, msgspec.inspect.BoolType):
        return "`true` · `false`"
    bounds = (
        ("ge", "≥ {:,}"),
        ("gt", "> {:,}"),
        ("le", "≤ {:,}"),
        ("lt", "< {:,}"),
        ("max_length", "at most {} characters"),
        ("pattern", "matches `{}`"),
    )
    present = ((form, getattr(kind, name, None)) for name, form in bounds)
    return ", ".join(form.format(value) for form, value in present if value is not None)
