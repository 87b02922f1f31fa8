"""Front matter: the metadata block with which a Markdown or text file begins.

YAML between ``---`` lines, TOML between ``+++`` lines, JSON between ``;;;`` lines or as an object at the very beginning. Only its title is
used: the rest is about the file and not what the file says. A block counts when its fence is the first line, closes, and holds nothing but
metadata, so a thematic break that a text begins with is none.
"""

import json
import re
import tomllib
from typing import NamedTuple

CHARS_MAX = 65_536  # from fence to fence; longer is no metadata
TITLE_CHARS_MAX = 500
_TITLES = ("title", "标题", "標題")

_FENCE = re.compile(r"(?P<mark>-{3}|\+{3}|;{3})(?P<language>yaml|yml|toml|json)?[ \t]*\n")
_CLOSE = {"-": re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE), "+": re.compile(r"^\+\+\+[ \t]*(?:\n|\Z)", re.MULTILINE)}
_CLOSE[";"] = re.compile(r"^;;;[ \t]*(?:\n|\Z)", re.MULTILINE)
_YAML_KEY = re.compile(
    r"(?P<key>\"[^\"\n]{1,100}\"|'[^'\n]{1,100}'|[^\s\-#\[\]{}:,\"'|>&*!%@`][^:#\n]{0,100}?)[ \t]*:(?:[ \t]+(?P<value>.*))?$"
)
_YAML_MORE = re.compile(r"[ \t]+\S|-(?:[ \t]|$)|#|[\]}],?[ \t]*$")
_COMMENT = re.compile(r"(?<![ \t])[ \t]++#.*$")
_BLOCK_SCALAR = re.compile(r"[|>][+-]?\d?$")


class FrontMatter(NamedTuple):
    """``end`` is where the body begins; ``title`` is empty when the metadata names none."""

    title: str
    end: int


def read_front_matter(text: str) -> FrontMatter:
    """The metadata that a clean ``text`` begins with; ``FrontMatter("", 0)`` when it begins with none."""
    title: str | None = None
    end = 0
    if text.startswith("{"):
        title, end = _read_object(text)
    elif fence := _FENCE.match(text):
        closed = _CLOSE[fence["mark"][0]].search(text, fence.end(), fence.end() + CHARS_MAX)
        if closed is not None:
            title, end = _read_fenced(fence, text[fence.end() : closed.start()]), closed.end()
    return FrontMatter("", 0) if title is None else FrontMatter(" ".join(title.split())[:TITLE_CHARS_MAX], end)


def _read_fenced(fence: re.Match[str], inside: str) -> str | None:
    """The title, empty when there is none; None when this is no metadata."""
    language = fence["language"] or {"-": "yaml", "+": "toml", ";": "json"}[fence["mark"][0]]
    if language == "toml":
        return _read_toml(inside)
    if language == "json":
        inside = inside.strip()
        return _title_of(_decode_json(inside if inside.startswith("{") else "{" + inside + "}"))
    return _read_yaml(inside.split("\n"))


def _read_object(text: str) -> tuple[str | None, int]:
    """A JSON object with text behind it; one alone, or the first of many, is the document itself."""
    try:
        found, end = json.JSONDecoder().raw_decode(text[:CHARS_MAX])
    except (ValueError, RecursionError):
        return None, 0
    line, _, body = text[end:].partition("\n")
    if line.strip() or not body.strip() or body.lstrip()[0] in "{[,]}":
        return None, 0
    return _title_of(found), end


def _decode_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_toml(text: str) -> str | None:
    try:
        return _title_of(tomllib.loads(text))
    except (ValueError, RecursionError):
        return None


def _title_of(found: object) -> str | None:
    if not isinstance(found, dict):
        return None
    named = {str(key).casefold(): value for key, value in found.items()}
    return next((str(named[key]) for key in _TITLES if isinstance(named.get(key), str | int | float)), "")


def _read_yaml(lines: list[str]) -> str | None:
    """The title of a block in which every line belongs to a YAML mapping; written by hand, it need not be YAML to the letter."""
    lines = [line for line in lines if not line.startswith("#")]
    if lines and not _YAML_KEY.match(lines[0]):
        return None if any(line.strip() for line in lines) else ""
    title = ""
    for index, line in enumerate(lines):
        key = _YAML_KEY.match(line)
        if key is None:
            if line.strip() and not _YAML_MORE.match(line):
                return None
        elif not title and key["key"].strip("\"' ").casefold() in _TITLES:
            title = _yaml_scalar(key["value"] or "", lines[index + 1 :])
    return title


def _yaml_scalar(value: str, following: list[str]) -> str:
    """A value as it is meant: without quotes and comment, with the indented lines that go on with it."""
    value = value.strip()
    more: list[str] = []
    for line in following:
        if line.strip() and not line[0].isspace():
            break
        more.append(line.strip())
    if not value or _BLOCK_SCALAR.match(value):
        return " ".join(more).strip()
    if value[0] in "\"'":
        return _unquote(" ".join((value, *more)))
    return " ".join((_COMMENT.sub("", value), *more)).strip()


def _unquote(value: str) -> str:
    quote, close = value[0], value.find(value[0], 1)
    while close > 0 and ((quote == '"' and value[close - 1] == "\\") or (quote == "'" and value[close + 1 : close + 2] == "'")):
        close = value.find(quote, close + (1 if quote == '"' else 2))
    inside = value[1:close] if close > 0 else value[1:]
    if quote == "'":
        return inside.replace("''", "'")
    decoded = _decode_json(f'"{inside}"')
    return decoded if isinstance(decoded, str) else inside
