"""Schemas of structs in the dialect of AsyncAPI, which is JSON Schema draft-07; msgspec writes 2020-12 with OpenAPI's ``discriminator``."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

TEMPLATE = "#/components/schemas/{name}"

Schema = dict[str, Any]


def describe(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """A reference to each type's schema, and ``components.schemas`` with all that they refer to."""
    references, components = msgspec.json.schema_components(types, ref_template=TEMPLATE)
    for struct, field in _time_fields(types):
        name = struct.__name__ if struct.__name__ in components else f"{struct.__module__}.{struct.__name__}"
        _mark_time(components[name]["properties"][field])
    schemas = {_plain(name): {**_in_draft_07(schema, _plain(name)), "title": _plain(name)} for name, schema in components.items()}
    return [_in_draft_07(reference, "") for reference in references], schemas


def name_of(reference: Schema) -> str:
    """The name among the components of what is referred to."""
    return str(reference["$ref"]).rpartition("/")[2]


def pascal(name: str) -> str:
    """``content_base64`` as ``ContentBase64``."""
    return "".join(word.capitalize() for word in name.split("_"))


def summary_of(described: Any) -> str:
    """The first line of a type's docstring."""
    return (described.__doc__ or "").strip().partition("\n")[0].replace("``", "`")


def _in_draft_07(schema: Any, name: str) -> Any:
    """``schema`` without what draft-07 does not know or ignores: a union by tags excludes by their constants, and a reference has no
    neighbours. ``name`` is that of its place, by which generators of code name a type that has none.
    """
    if isinstance(schema, list):
        return [_in_draft_07(each, name) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _reference(schema)
    known = {member: _in_draft_07(value, name) for member, value in schema.items() if member not in ("properties", "discriminator")}
    if "properties" in schema:
        known["properties"] = {field: _in_draft_07(value, name + pascal(field)) for field, value in schema["properties"].items()}
    if "discriminator" in schema:
        known["oneOf"] = known.pop("anyOf")
    choices = known.get("enum")
    if isinstance(choices, list) and all(isinstance(choice, str) for choice in choices):
        named = {"const": known.pop("enum")[0]} if len(choices) == 1 else {"$id": name}
        return {"type": "string", **named, **known}
    return known


def _reference(schema: Schema) -> Schema:
    """Draft-07 ignores what stands beside a reference: a default, which is the default of all that it consists of, is left out."""
    target = {"$ref": TEMPLATE.format(name=_plain(name_of(schema)))}
    beside = {member: value for member, value in schema.items() if member not in ("$ref", "default")}
    return {"allOf": [target], **beside} if beside else target


def _plain(name: str) -> str:
    """A name that every language can have: ``SocketEvent_Citation_`` as ``SocketEventCitation``, and where two structs have one name and
    msgspec gives the path of the module, ``schemas.requests.Vectors`` as ``RequestsVectors``.
    """
    *modules, struct = name.split(".")
    return "".join(map(pascal, modules[1:])) + struct.replace("_", "")


def _time_fields(types: Sequence[Any]) -> Iterator[tuple[type, str]]:
    """Struct and field of every time: msgspec names the format only where a time zone is demanded."""
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(types))
    seen = set()
    while waiting:
        kind = waiting.pop()
        waiting += [kind.type] if isinstance(kind, msgspec.inspect.Metadata) else list(_parts(kind))
        if isinstance(kind, msgspec.inspect.StructType) and kind.cls not in seen:
            seen.add(kind.cls)
            waiting += [field.type for field in kind.fields]
            yield from ((kind.cls, field.encode_name) for field in kind.fields if _is_time(field.type))


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
