"""What an erasure looks for: ids, and texts such as an address. Everything here is linear in what is searched."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.accounts.records import email_scope

TERM_CHARS_MIN = 2
TERMS_MAX = 32

_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HASH = re.compile(rb"[0-9a-f]{64,}")
HASH_CHARS = 64


@dataclass(frozen=True, slots=True)
class NeedleMatch:
    """What was found in some bytes: an id of the erasure, a text of it."""

    ids: bool = False
    text: bool = False

    def __bool__(self) -> bool:
        return self.ids or self.text


NOTHING = NeedleMatch()


@dataclass(slots=True)
class Needles:
    """The ids and texts of one erasure. ``account_id`` "" is a whole tenant.

    ``address`` and ``terms`` count wherever they stand; a ``name`` only beside an id, because others have the same. Ids are UUIDs and
    SHA-256 in hexadecimal, as all that are derived or random here; they grow while the log is read (``add``).
    """

    tenant: str
    account_id: str = ""
    address: str = ""
    name: str = ""
    terms: Sequence[str] = ()
    ids: set[bytes] = field(default_factory=set)
    _texts: tuple[bytes, ...] = ()
    _names: tuple[bytes, ...] = ()
    _tenant_mark: bytes = b""

    def __post_init__(self) -> None:
        self.add([self.account_id or self.tenant])
        self._texts = _spell((self.address, self.address_hash, *self.terms))
        self._names = _spell((self.name,))
        if not self.account_id:
            self._tenant_mark = f'"tenant":"{self.tenant}"'.encode()

    @property
    def address_hash(self) -> str:
        """The name of the address in keys; "" without one."""
        return email_scope(self.address) if self.address else ""

    def add(self, ids: Iterable[str]) -> None:
        """Look for these ids, too; what has not the form of an id is left out."""
        self.ids.update(each.encode() for each in ids if _ID.fullmatch(each.encode()) or _is_hash(each.encode()))

    def owns(self, tenant: str, owners: Sequence[str]) -> bool:
        """Whether a record of this tenant and these owners belongs to the erasure."""
        if not self.account_id:
            return tenant == self.tenant
        return any(owner.encode() in self.ids or (owner != "" and owner == self.address.lower()) for owner in owners)

    def names(self, parts: Iterable[str]) -> bool:
        """Whether one of the parts of a Redis key is an id of the erasure."""
        return any((not self.account_id and part == self.tenant) or part.encode() in self.ids for part in parts)

    def find(self, *pieces: bytes | None) -> NeedleMatch:
        """What of the erasure these bytes mention, taken together."""
        ids = text = named = False
        for piece in pieces:
            if not piece:
                continue
            ids = ids or self._has_id(piece)
            if self._texts or self._names:
                lowered = piece.lower()
                text = text or any(each in lowered for each in self._texts)
                named = named or any(each in lowered for each in self._names)
        return NeedleMatch(ids, text or (ids and named)) if ids or text else NOTHING

    def _has_id(self, piece: bytes) -> bool:
        if self._tenant_mark and self._tenant_mark in piece:
            return True
        if any(found in self.ids for found in _ID.findall(piece)):
            return True
        return any(run[:HASH_CHARS] in self.ids or run[-HASH_CHARS:] in self.ids for run in _HASH.findall(piece))


def _is_hash(text: bytes) -> bool:
    return len(text) == HASH_CHARS and _HASH.fullmatch(text) is not None


def _spell(texts: Iterable[str]) -> tuple[bytes, ...]:
    """The texts in lower case as they may stand in UTF-8 and in JSON, with and without escapes."""
    found = dict[bytes, None]()
    for text in texts:
        lowered = text.strip().lower()
        if len(lowered) >= TERM_CHARS_MIN:
            for spelled in (lowered, json.dumps(lowered, ensure_ascii=False)[1:-1], json.dumps(lowered)[1:-1]):
                found[spelled.encode().lower()] = None
    return tuple(found)
