"""Values that strangers send, as hypothesis strategies: what a schema of our OpenAPI document allows, and the same with a part spoilt.

A value is a tree of dicts, lists, strings, numbers, booleans, None and ``Text``: JSON that no encoder would write.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

DEPTH_MAX = 6  # of generated objects; deeper there are empty ones
SPOILT_MAX = 2  # places of one value


@dataclass(frozen=True, slots=True)
class Text:
    """A JSON text as it stands."""

    json: str


DIGITS = "9" * 5_000
HOSTILE_TEXTS = (
    *("1e999", "-1e999", "1e-999", "NaN", "Infinity", "-Infinity", "-0", "-0.0", "1e308", "5e-324", "0.1e1", "1E+2"),
    *(DIGITS, f"-{DIGITS}", f"0.{DIGITS}", f"1e{DIGITS}", f"{DIGITS}.0", str(2**31), str(2**53), str(2**63), str(-(2**63) - 1), str(2**64)),
    *("[" * 2_000 + "]" * 2_000, '{"a":' * 2_000 + "1" + "}" * 2_000, "[" * 3_000, '{"a":1,"a":2}', "[[]]", "{}", "[]"),
    *(r'"\ud800"', r'"\udfff x"', r'"\u0000"', r'"a\u0000b"', r'"\x"', '"\t"', '"', "tru", "undefined", "'x'", "", "//", "01", "+1", ".5"),
)
HOSTILE_STRINGS = (
    *("", " ", "\0", "a\0b", "\r\n", "x\r\nSet-Cookie: a=b", "\ud800", "\udfff", "\ufeff", "\u202e\u2066", "\U0010ffff", "é" * 300),
    *("../../../etc/passwd", "..", "/", "//", "a/b", "%00", "%2e%2e%2f", "%", "%zz", "{}", "*", "?", "[a-z]*", "$where", "' OR 1=1 --"),
    *("x" * 1_001, "x" * 20_000, "😀" * 600, "a b" * 5_000, "null", "true", "NaN", "1e999", "inf", "-1", "0", "1.0", DIGITS, f"-{DIGITS}"),
    *("١٢٣", "９９", "²", "1_000", "0x10", " 1", "1 ", "+1", "--1", str(2**63), str(2**64), str(2**31), "0" * 5_000, f"{DIGITS}-{DIGITS}"),
    *("00000000-0000-0000-0000-000000000000", "urn:uuid:11111111-1111-4111-8111-111111111111", "{11111111-1111-4111-8111-111111111111}"),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "1e20"),
    *(
        "10.0.0.0/0",
        "0.0.0.0/33",
        "::/0",
        "::1%eth0",
        "fe80::1%25a",
        "999.1.1.1",
        "http://[::1",
        "http://a:99999/",
        "http://\0/",
        "file:///etc",
    ),
    *("data:,x", "a@b", "a@" + "b" * 300, '"', "\\", "\x7f", "\x1b[2J", "<script>", "{{7*7}}", "${jndi:ldap://x}", "İ" * 50, "ﷺ" * 200),
)
_PIECES = (
    "0",
    "1",
    "-1",
    "9" * 19,
    DIGITS,
    "null",
    '"a"',
    "1e999",
    "[0,0]",
    "[[0,1]]",
    "[[0]]",
    "[[0,-1]]",
    f"[[0,{DIGITS}]]",
    "{}",
    "\0",
    "z",
)
_POSITIONS = tuple(str(each) for each in (0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64, DIGITS, "٣", "²"))
_SEPARATORS = (".", "/", "-", ":", ",", "|", "\0", " ")


def _encode_position(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


def strings() -> st.SearchStrategy[str]:
    """Any text, lone surrogates and control characters included, and known trouble."""
    return st.one_of(st.sampled_from(HOSTILE_STRINGS), st.text(st.characters(), max_size=20))


def positions() -> st.SearchStrategy[str]:
    """Text like that of our cursors and event ids: numbers, separators and JSON, plain and as base64url."""
    joined = st.builds(lambda first, between, last: f"{first}{between}{last}", *map(st.sampled_from, (_POSITIONS, _SEPARATORS, _POSITIONS)))
    plain = st.one_of(st.sampled_from(_POSITIONS), joined, st.sampled_from(_PIECES), strings())
    encoded = st.one_of(plain.map(lambda each: each.encode("utf-8", "replace")), st.binary(max_size=40)).map(_encode_position)
    return st.one_of(plain, encoded)


@st.composite
def spoilt_texts(draw: st.DrawFn, text: str) -> str:
    """``text`` with a character replaced, a part missing, something appended, or whole."""
    place = draw(st.integers(0, len(text)))
    other = draw(st.one_of(st.sampled_from(("", "A", "=", "-", "_", ".", "9", "\0", "é", "/")), strings()))
    cut = draw(st.sampled_from((0, 1, 4, len(text))))
    return text[:place] + other + text[place + cut :]


class Schemas:
    """Values for the schemas of an OpenAPI document. ``known``: strings that mean something to the server, by property name."""

    def __init__(self, components: Mapping[str, Any], known: Mapping[str, list[str]]) -> None:
        self._components, self._known = components, known
        self._made: dict[tuple[int, str, int], st.SearchStrategy[Any]] = {}  # building strategies is slower than drawing from them

    def valid(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> st.SearchStrategy[Any]:
        """What ``schema`` allows, extremes included; ``name`` is that of the property or parameter."""
        place = (id(schema), name, depth)
        if place not in self._made:
            self._made[place] = self._make(schema, name, depth)
        return self._made[place]

    def _make(self, schema: Mapping[str, Any], name: str, depth: int) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            return self.valid(self._components[str(schema["$ref"]).rpartition("/")[2]], name, depth)
        if choices := schema.get("oneOf") or schema.get("anyOf"):
            return st.one_of([self.valid(each, name, depth) for each in choices])
        if "const" in schema or "enum" in schema:
            return st.sampled_from(schema.get("enum") or [schema.get("const")])
        kinds = schema.get("type", "object" if "properties" in schema else ["string", "integer", "boolean", "null", "array"])
        if isinstance(kinds, list):
            return st.one_of([self._of_type(each, schema, name, depth) for each in kinds])
        return self._of_type(kinds, schema, name, depth)

    def _of_type(self, kind: str, schema: Mapping[str, Any], name: str, depth: int) -> st.SearchStrategy[Any]:
        if kind == "string":
            return self._string(schema, name)
        if kind in {"integer", "number"}:
            low, high = schema.get("minimum"), schema.get("maximum")
            if kind == "integer":
                whole = [None if bound is None else int(bound) for bound in (low, high)]
                return st.integers(*whole) | st.integers(*whole).map(lambda each: max(whole[0] or 0, min(each % 4, whole[1] or 3)))
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        if kind == "array":
            item = self.valid(schema.get("items", {}), name, depth + 1) if depth < DEPTH_MAX else st.nothing()
            low = int(schema.get("minItems", 0))
            return st.lists(item, min_size=low, max_size=low + 2) if depth < DEPTH_MAX else st.just([])
        if kind == "object":
            return self._object(schema, depth)
        return st.booleans() if kind == "boolean" else st.none()

    def _string(self, schema: Mapping[str, Any], name: str) -> st.SearchStrategy[str]:
        low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 200))
        form = schema.get("format")
        any_text = st.text(min_size=low, max_size=min(high, low + 12)) | st.just("好" * high) | st.just("x" * low)
        by_form: dict[str | None, st.SearchStrategy[str]] = {
            "uuid": st.uuids().map(str),
            "date-time": st.datetimes().map(lambda each: each.isoformat() + "Z"),
        }
        wanted = by_form.get(form, any_text)
        known = self._known.get(name)
        return st.one_of(st.sampled_from(known), wanted) if known else wanted

    def _object(self, schema: Mapping[str, Any], depth: int) -> st.SearchStrategy[Any]:
        properties = schema.get("properties") or {}
        if depth >= DEPTH_MAX or not properties:
            return st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=2)
        fields = {name: self.valid(each, name, depth + 1) for name, each in properties.items()}
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: each for name, each in fields.items() if name in required},
            optional={name: each for name, each in fields.items() if name not in required},
        )


@st.composite
def spoilt(draw: st.DrawFn, valid: st.SearchStrategy[Any]) -> Any:
    """A valid value with up to ``SPOILT_MAX`` places replaced, removed or doubled."""
    value = draw(valid)
    for _ in range(draw(st.integers(0, SPOILT_MAX))):
        path = draw(st.sampled_from(_paths(value)))
        value = _replaced(value, path, draw(_other_values()))
    return value


_REMOVED = Text("removed")


def _other_values() -> st.SearchStrategy[Any]:
    simple = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), strings())
    return st.one_of(
        st.sampled_from(HOSTILE_TEXTS).map(Text),
        strings(),
        simple,
        st.lists(simple, max_size=3),
        st.dictionaries(strings(), simple, max_size=3),
        st.just(["x"] * 300),
        st.just({str(each): each for each in range(300)}),
        st.just(_REMOVED),
    )


def _paths(value: Any) -> list[tuple[Any, ...]]:
    """The places of a tree, the root first."""
    found: list[tuple[Any, ...]] = [()]
    steps: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        steps = [*value.items(), ("unknown", None)]
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for step, below in steps:
        found += [(step, *rest) for rest in _paths(below)]
    return found


def _replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return Text("") if other is _REMOVED else other
    copy = dict(value) if isinstance(value, dict) else list(value)
    below = copy.get(path[0]) if isinstance(copy, dict) else copy[path[0]]
    copy[path[0]] = other if len(path) == 1 else _replaced(below, path[1:], other)
    if copy[path[0]] is _REMOVED:
        del copy[path[0]]
    return copy


def to_json(value: Any) -> str:
    """The JSON text of a tree; lone surrogates are escaped."""
    if isinstance(value, Text):
        return value.json
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{to_json(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value)
