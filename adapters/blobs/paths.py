"""Paths in the blob store: ``tenant/knowledge-base/xx/name``.

Nothing anybody chose gets into one unless it is harmless, and a place that came back in an event is checked again before it is used.
"""

import hashlib
import re
from collections.abc import Callable

from schemas.errors import Refused

NAME_BYTES = 16  # random, so unguessable and unique
PARTS_MIN, PARTS_MAX = 2, 6

_SAFE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


def blob_folder(tenant: str, knowledge_base_id: str) -> str:
    """The folder of a knowledge base."""
    return f"{_safe_name(tenant)}/{_safe_name(knowledge_base_id)}"


def new_path(home: str, random_bytes: Callable[[int], bytes]) -> str:
    """A new path, spread over 256 folders."""
    name = random_bytes(NAME_BYTES).hex()
    return f"{home}/{name[:2]}/{name}"


def page_path(home: str, document_id: str, version: int) -> str:
    """The path of the description of a version's fetched page: always the same, so that the page is fetched once."""
    name = hashlib.sha256(document_id.encode()).hexdigest()[:32]
    return f"{home}/{name[:2]}/{name}-{version}{PAGE_SUFFIX}"


PAGE_SUFFIX = ".page"


def check_path(path: str) -> str:
    """``path`` if it stays inside the store; Refused("file_missing") otherwise: there can be no file."""
    parts = path.split("/")
    if not PARTS_MIN <= len(parts) <= PARTS_MAX or not all(_SAFE_NAME.fullmatch(part) for part in parts):
        raise Refused("file_missing", "this is no path in the file store")
    return path


def _safe_name(name: str) -> str:
    """``name`` where it is safe in a path, else its hash: upstream systems choose their own names."""
    return name if _SAFE_NAME.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:32]
