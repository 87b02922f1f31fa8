"""Caps: how much an account or a tenant may hold at one time, and the refusal of what would be beyond one."""

from typing import Literal, NamedTuple

from schemas.errors import Refused
from schemas.records import Tier
from schemas.settings.caps import CapKind

CapOwner = Literal["account", "tenant"]

OWNERS: tuple[CapOwner, CapOwner] = ("account", "tenant")  # in the order in which caps are looked at

CODES: dict[CapKind, str] = {
    "streams": "too_many_streams",
    "sockets": "too_many_sockets",
    "uploads": "too_many_uploads",
    "conversations": "conversations_full",
    "knowledge_bases": "knowledge_bases_full",
    "documents": "documents_full",
    "stored_bytes": "storage_full",
    "idempotency_bytes": "idempotency_full",
}
NOUNS: dict[CapKind, str] = {
    "streams": "open event streams",
    "sockets": "open WebSocket connections",
    "uploads": "uploads in progress",
    "conversations": "conversations",
    "knowledge_bases": "knowledge bases",
    "documents": "documents",
    "stored_bytes": "bytes of documents",
    "idempotency_bytes": "bytes kept for repeats with an Idempotency-Key",
}
RETRY_AFTER_S: dict[CapKind, int] = {"streams": 1, "sockets": 1, "uploads": 5, "idempotency_bytes": 3_600}  # what frees itself


class CapShortage(NamedTuple):
    """``used`` of ``limit`` are in use by the account or by its tenant; ``wanted`` more would be too many."""

    kind: CapKind
    owner: CapOwner
    used: int
    limit: int
    wanted: int = 1

    @property
    def rule(self) -> str:
        """The name of the cap in refusals and metrics."""
        return f"{self.owner}_{self.kind}"


def cap_refusal(shortage: CapShortage, tier: Tier | Literal[""] = "") -> Refused:
    """The refusal, with the cap's setting, what is in use, and what was asked for. ``tier``: of the account, when it is known."""
    kind, owner = shortage.kind, shortage.owner
    whose = f"{tier or '<tier>'}" if owner == "account" else "tenant"
    setting = f"CLAW_CAP_{whose}_{kind}_MAX".upper()
    detail = f"this {owner} has {shortage.used} of {shortage.limit} {NOUNS[kind]} ({setting})"
    if shortage.wanted > 1:
        detail += f", and {shortage.wanted} more were asked for"
    return Refused(CODES[kind], detail, retry_after_s=RETRY_AFTER_S.get(kind, 0), rule=shortage.rule)
