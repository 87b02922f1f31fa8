"""robots.txt by RFC 9309: the group of this agent, else the one for all; the longest rule that matches a path decides."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

BYTES_MAX = 512 * 1024  # RFC 9309: at least 500 KiB are read; the rest is ignored
RULES_MAX = 5_000
_SAFE = "/%:@!$&'()*+,;=~?-._"


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns and whether they allow; empty allows everything."""

    patterns: tuple[tuple[str, bool], ...] = ()

    def allow(self, path: str) -> bool:
        """Whether ``path`` (with its query, percent-encoded) may be read. Of two rules of the same length the one that allows counts."""
        if path == "/robots.txt":
            return True
        path = quote(path, safe=_SAFE)
        best, allowed = -1, True
        for pattern, allows in self.patterns:
            if (len(pattern) > best or (len(pattern) == best and allows)) and matches(pattern, path):
                best, allowed = len(pattern), allows
        return allowed


def parse(text: str, agent: str) -> Rules:
    """The rules for ``agent`` (a product token, any case)."""
    groups: dict[str, list[tuple[str, bool]]] = {}
    names: list[str] = []
    ruled = False
    for field, value in _lines(text):
        if field == "user-agent":
            name = value.lower().partition("/")[0].strip()
            names = [name] if ruled else [*names, name]
            ruled = False
            groups.setdefault(names[-1], [])
        elif field in ("allow", "disallow"):
            ruled = True
            if value:
                for name in names:
                    groups[name].append((quote(value, safe=_SAFE), field == "allow"))
    own = agent.lower() if agent.lower() in groups else "*"
    return Rules(tuple(groups.get(own, ())[:RULES_MAX]))


def matches(pattern: str, path: str) -> bool:
    """``*`` stands for any characters, ``$`` at the end for the end; linear in the path for every part of the pattern."""
    anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    if not rest:
        return not anchored or at == len(path)
    for part in rest[:-1]:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if anchored:
        return path.endswith(rest[-1]) and len(path) - len(rest[-1]) >= at
    return path.find(rest[-1], at) >= 0


def _lines(text: str) -> Iterable[tuple[str, str]]:
    for line in text.removeprefix("\ufeff").splitlines():
        field, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield field.strip().lower(), value.strip()
