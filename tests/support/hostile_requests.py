"""Requests of strangers from our own OpenAPI document: each is what the document allows but for one part, or none, that is hostile."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.support.asgi_calls import Call
from tests.support.hostile_values import Schemas, positions, spoilt, spoilt_texts, strings, to_json

METHODS = ("get", "post", "put", "patch", "delete")
PARTS = ("path", "query", "headers", "body", "content type", "credential", "nothing", "all")
HEADER_BYTES_MAX = 30_000  # the server refuses longer heads itself
CONTENT_TYPES = (
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "a/b+json",
    "x",
    "",
)
HEADERS: Mapping[str, tuple[str, ...]] = {
    "accept": ("text/event-stream", "*/*", "application/json"),
    "idempotency-key": ("a", "b"),
    "if-match": ('"1"', "*", 'W/"0"', '"1", "2"'),
    "if-none-match": ('"1"', "*"),
    "last-event-id": ("0.0.1", "1.5.0", "at.5"),
    "x-request-id": ("mine",),
    "traceparent": ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",),
    "tracestate": ("a=b",),
    "x-forwarded-for": ("10.0.0.1", "::1"),
    "origin": ("http://localhost", "null"),
    "range": ("bytes=0-1",),
    "accept-language": ("zh-CN,en;q=0.5",),
    "cookie": ("a=b",),
}


@dataclass(frozen=True)
class Operation:
    """A method of a path, and what the document says about it."""

    method: str
    path: str
    spec: Mapping[str, Any]

    def is_path(self, path: str) -> bool:
        """Whether a path is one of this operation: every parameter has a value, and only ``key`` and ``model`` have slashes in it."""
        pattern = re.sub(r"\\{(\w+)\\}", lambda name: "[^/].*" if name[1] in {"key", "model"} else "[^/]+", re.escape(self.path))
        return re.fullmatch(pattern, path, re.DOTALL) is not None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def __repr__(self) -> str:
        return str(self)


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """All of the document."""
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            if method in METHODS:
                yield Operation(method.upper(), path, spec)


class Strangers:
    """Requests with these ``credentials`` (values of Authorization), which may change in between; ``known``: values that mean something, by
    parameter or property.
    """

    def __init__(self, document: Mapping[str, Any], credentials: Sequence[str], known: Mapping[str, list[str]]) -> None:
        self._schemas = Schemas(document["components"]["schemas"], known)
        self._credentials, self._known = credentials, known

    @st.composite
    @staticmethod
    def calls(draw: st.DrawFn, strangers: "Strangers", operation: Operation) -> Call:
        """A request to ``operation``."""
        part = draw(st.sampled_from(PARTS))
        target = strangers._target(draw, operation, part)
        headers = strangers._headers(draw, hostile=part in {"headers", "all"})
        credential = draw(strings() if part == "credential" else st.sampled_from(strangers._credentials))
        headers += [(b"authorization", credential.encode("latin-1", "replace"))] if credential else []
        body, media = strangers._body(draw, operation, hostile=part in {"body", "all"})
        headers.append((b"content-type", draw(st.sampled_from(CONTENT_TYPES if part == "content type" else (media,))).encode()))
        return Call(operation.method, target, headers, body)

    def _target(self, draw: st.DrawFn, operation: Operation, part: str) -> str:
        path, query = operation.path, []
        for parameter in operation.spec.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            text = draw(self._parameter(parameter, hostile=part in {place, "all"}))
            encoded = quote(text.encode("utf-8", "surrogatepass"), safe="/" if name == "key" else "")
            if place == "path":
                path = path.replace(f"{{{name}}}", encoded)
            elif draw(st.booleans()):
                query.append(f"{name}={encoded}")
        if part == "query":
            query += draw(
                st.lists(st.sampled_from(("limit=", "cursor", "=", "&&", "a[]=1", "%ff=%fe", "limit=1&limit=2", "a;b")), max_size=2)
            )
        return f"{path}?{'&'.join(query)}" if query else path

    def _parameter(self, parameter: Mapping[str, Any], *, hostile: bool) -> st.SearchStrategy[str]:
        name = parameter["name"]
        if hostile:
            return st.one_of(positions(), strings(), *(spoilt_texts(each) for each in self._known.get(name, ())))
        return self._schemas.valid(parameter["schema"], name).map(lambda value: value if isinstance(value, str) else json.dumps(value))

    def _headers(self, draw: st.DrawFn, *, hostile: bool) -> list[tuple[bytes, bytes]]:
        found = []
        for name in draw(st.lists(st.sampled_from(tuple(HEADERS)), max_size=3)):
            usual = st.sampled_from(HEADERS[name])
            text = draw(st.one_of(positions(), strings(), usual.flatmap(spoilt_texts)) if hostile else usual)
            value = text.encode(draw(st.sampled_from(("latin-1", "utf-8"))), "replace")
            found.append((name.encode(), bytes(each for each in value if each >= ord(" ") or each == ord("\t"))[:HEADER_BYTES_MAX]))
        return found

    def _body(self, draw: st.DrawFn, operation: Operation, *, hostile: bool) -> tuple[bytes, str]:
        """The body and its media type."""
        for media, content in operation.spec.get("requestBody", {}).get("content", {}).items():
            valid = self._schemas.valid(content["schema"])
            if media == "multipart/form-data":
                return _multipart(draw(spoilt(valid) if hostile else valid)), "multipart/form-data; boundary=b"
            text = to_json(draw(spoilt(valid) if hostile else valid)).encode()
            return (draw(_spoilt_bytes(text)) if hostile else text), media
        return (draw(st.sampled_from((b"", b"{", b"x"))) if hostile else b""), "application/json"


def _multipart(value: Any) -> bytes:
    parts = value.items() if isinstance(value, dict) else [("file", value)]
    texts = [(name, each if isinstance(each, str) else to_json(each)) for name, each in parts]
    head = '--b\r\nContent-Disposition: form-data; name="{0}"; filename="{0}.txt"\r\n\r\n'
    return ("".join(f"{head.format(name)}{text}\r\n" for name, text in texts) + "--b--\r\n").encode("utf-8", "replace")


@st.composite
def _spoilt_bytes(draw: st.DrawFn, text: bytes) -> bytes:
    """Mostly the text itself; else cut, in another encoding, with bytes that are no UTF-8, or something around it."""
    how = draw(st.integers(0, 15))
    place = draw(st.integers(0, len(text)))
    return {
        1: text[:place],
        2: text[:place] + b"\xed\xa0\x80" + text[place:],
        3: text[:place] + b"\xff" + text[place:],
        4: b"\xef\xbb\xbf" + text,
        5: text.decode("utf-8", "replace").encode("utf-16"),
        6: text + text,
        7: b"[" * 5_000 + text,
    }.get(how, text)
