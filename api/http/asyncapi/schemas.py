"""Schemas of structs in the dialect of AsyncAPI, which is JSON Schema draft-07; msgspec writes 2020-12 with OpenAPI's ``discriminator``."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

TEMPLATE = "#/components/schemas/{name}"

Schema = dict[str, Any]


def describe(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """A reference to each type's schema, and ``components.schemas`` with all that they refer to."""
    references, components = msgspec.json.schema_components(types, ref_template=TEMPLATE)
    for name, field in _time_fields(types):
        _mark_time(components[name]["properties"][field])
    return list(references), {name: _in_draft_07(schema) for name, schema in components.items()}


def name_of(reference: Schema) -> str:
    """The name among the components of what is referred to."""
    return str(reference["$ref"]).rpartition("/")[2]


def summary_of(described: Any) -> str:
    """The first line of a type's docstring."""
    return (described.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def _in_draft_07(schema: Any) -> Any:
    """``schema`` without what draft-07 does not know or ignores: a union by tags excludes by their constants, and a reference with
    neighbours, which would be ignored, is one part of an ``allOf``.
    """
    if isinstance(schema, list):
        return [_in_draft_07(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    known = {name: _in_draft_07(value) for name, value in schema.items() if name != "discriminator"}
    if "discriminator" in schema:
        known["oneOf"] = known.pop("anyOf")
    if "$ref" in known and len(known) > 1:
        known["allOf"] = [{"$ref": known.pop("$ref")}]
    choices = known.get("enum")
    if isinstance(choices, list) and all(isinstance(choice, str) for choice in choices):
        known = {"type": "string", **known}
        if len(choices) == 1:
            known["const"] = known.pop("enum")[0]
    return known


def _time_fields(types: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Struct and field of every time: msgspec names the format only where a time zone is demanded."""
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(types))
    seen = set()
    while waiting:
        kind = waiting.pop()
        waiting += [kind.type] if isinstance(kind, msgspec.inspect.Metadata) else list(_parts(kind))
        if isinstance(kind, msgspec.inspect.StructType) and kind.cls not in seen:
            seen.add(kind.cls)
            waiting += [field.type for field in kind.fields]
            yield from ((kind.cls.__name__, field.encode_name) for field in kind.fields if _is_time(field.type))


def _parts(kind: Any) -> Iterator[Any]:
    if isinstance(kind, msgspec.inspect.UnionType):
        yield from kind.types
    elif isinstance(kind, msgspec.inspect.CollectionType):
        yield kind.item_type
    elif isinstance(kind, msgspec.inspect.DictType):
        yield kind.value_type


def _is_time(kind: Any) -> bool:
    if isinstance(kind, msgspec.inspect.Metadata):
        return _is_time(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(map(_is_time, kind.types))
    return isinstance(kind, msgspec.inspect.DateTimeType)


def _mark_time(schema: Schema) -> None:
    for each in schema.get("anyOf", [schema]):
        if each.get("type") == "string":
            each["format"] = "date-time"
