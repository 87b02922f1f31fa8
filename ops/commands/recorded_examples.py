"""The examples of the AsyncAPI document, from the recordings in tests/golden: those of events, of an inbox, of a dead letter, of frames."""

import base64
from collections import defaultdict
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec

from api.http.asyncapi.messages import (
    DEAD_LETTER,
    INBOX_DELETION,
    INBOX_DOCUMENT,
    INBOX_EVENT,
    INBOX_FILE,
    STRUCTURED,
    TOMBSTONE,
)
from domain.areas import TOPICS
from streams.log.publisher import CONTENT_TYPE

FIRST = "first"  # the name of a recording without a variant: the event as it was first released
Example = dict[str, Any]


def examples_page(golden: Path) -> str:
    """``api/http/asyncapi/examples.json``: by message, a list of examples."""
    found: defaultdict[str, list[Example]] = defaultdict(list)
    for message, example in _examples(golden):
        found[message].append(example)
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"


def _examples(golden: Path) -> Iterator[tuple[str, Example]]:
    names = {event.type_name(): event.__name__ for topic in TOPICS if topic.events is not None for event in topic.types()}
    headers = {CONTENT_TYPE[0]: CONTENT_TYPE[1].decode()}
    for path in sorted(golden.glob("claw.*.json"), key=lambda path: path.stem.split("+")):
        kind, _, variant = path.stem.partition("+")
        yield names[kind], {"name": variant or FIRST, "headers": headers, "payload": _read(path)}
    for path in sorted(golden.glob("inbox*.json"), key=lambda path: path.stem.split("+")):
        yield _inbox_example(path.stem.partition("+")[2] or FIRST, _read(path))
    yield TOMBSTONE, {"name": FIRST, "payload": None}
    letter = _read(golden / "dead-letter.json")
    yield DEAD_LETTER, {"name": FIRST, "headers": letter["headers"], "payload": base64.b64decode(letter["value_base64"]).decode()}
    for name, frame in _read(golden / "socket.json").items():
        yield f"socket.{name}", {"name": FIRST, "payload": frame}


def _inbox_example(name: str, recorded: dict[str, Any]) -> tuple[str, Example]:
    if "headers" not in recorded:
        return INBOX_EVENT, {"name": name, "headers": {"content-type": STRUCTURED}, "payload": recorded}
    headers, value = recorded["headers"], recorded["value_base64"]
    if value is None:
        return INBOX_DELETION, {"name": name, "payload": None}
    content, content_type = base64.b64decode(value), Message()
    content_type["content-type"] = headers["content-type"]
    if content_type.get_content_type() == "application/json":
        return INBOX_DOCUMENT, {"name": name, "headers": headers, "payload": msgspec.json.decode(content)}
    return INBOX_FILE, {"name": name, "headers": headers, "payload": content.decode(content_type.get_content_charset("utf-8"))}


def _read(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes())
