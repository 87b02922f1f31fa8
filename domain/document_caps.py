"""The caps on documents: how many, and how many bytes, an account and its tenant may store, whichever way they arrive.

The account of a document is the one that its knowledge base belongs to; who submitted it is not on the record of its progress. With Redis
down nothing is counted and nothing refused here: the sums follow from the progress of the documents afterwards.
"""

from typing import NamedTuple

from domain.documents.storage import Storage, StorageCaps, StorageTotals
from domain.limits.caps import cap_refusal
from domain.read_models import ReadModels
from schemas.errors import Unavailable
from schemas.records import Tier
from schemas.settings.caps import CapSettings
from streams.clock import Clock
from streams.live import Live

OWNERS_MAX, OWNER_S = 5_000, 5.0  # knowledge bases of inboxes, with their accounts: remembered so long


class Owner(NamedTuple):
    """The account that a knowledge base belongs to; "" for a tenant that has an inbox and no account yet."""

    account_id: str
    tier: Tier


class DocumentCaps:
    """Refuses documents beyond a cap."""

    def __init__(self, settings: Live[CapSettings], storage: Storage, read_models: ReadModels, clock: Clock) -> None:
        self._settings, self._storage, self._read_models, self._clock = settings, storage, read_models, clock
        self._owners: dict[tuple[str, str], tuple[float, Owner]] = {}

    async def reserve(self, tenant: str, owner: Owner, base_id: str, document_id: str, size: int) -> None:
        """Count the document before it is submitted. Raises Refused("documents_full" or "storage_full"); Unavailable."""
        caps = self._storage_caps(owner)
        if not any(caps):
            return
        base_ids = await self._base_ids(tenant, owner, base_id) if caps.account_documents or caps.account_bytes else ()
        shortage = await self._storage.reserve(tenant, base_id, document_id, size, caps, base_ids)
        if shortage is not None:
            raise cap_refusal(shortage, owner.tier)

    async def reserve_for_inbox(self, tenant: str, base_id: str, document_id: str, size: int) -> None:
        """The same for a document of an inbox, whose account is that of its knowledge base; never Unavailable."""
        try:
            await self.reserve(tenant, await self._find_owner(tenant, base_id), base_id, document_id, size)
        except Unavailable:
            return

    async def release(self, tenant: str, base_id: str, document_id: str) -> None:
        """It did not reach the log; while Redis is down the reservation expires."""
        try:
            await self._storage.release(tenant, base_id, document_id)
        except Unavailable:
            return

    async def account_totals(self, tenant: str, account_id: str) -> StorageTotals:
        """What the account's knowledge bases store. Raises Unavailable."""
        return await self._storage.totals(tenant, await self._read_models.account_knowledge_bases.ids(f"{tenant}/{account_id}"))

    async def tenant_totals(self, tenant: str) -> StorageTotals:
        """What the tenant stores. Raises Unavailable."""
        return await self._storage.totals(tenant)

    def _storage_caps(self, owner: Owner) -> StorageCaps:
        caps = self._settings.value
        own = (caps.of_account(owner.tier, "documents"), caps.of_account(owner.tier, "stored_bytes")) if owner.account_id else (0, 0)
        return StorageCaps(*own, caps.of_tenant("documents"), caps.of_tenant("stored_bytes"))

    async def _base_ids(self, tenant: str, owner: Owner, base_id: str) -> tuple[str, ...]:
        found = await self._read_models.account_knowledge_bases.ids(f"{tenant}/{owner.account_id}")
        return found if base_id in found else (*found, base_id)

    async def _find_owner(self, tenant: str, base_id: str) -> Owner:
        known, now_s = self._owners.get((tenant, base_id)), self._clock.monotonic_s()
        if known is not None and now_s - known[0] < OWNER_S:
            return known[1]
        base = await self._read_models.knowledge_bases.get(tenant, base_id)
        account = await self._read_models.accounts.get(base.user_id, base.user_id) if base is not None else None
        owner = Owner("", "free") if account is None else Owner(account.id, account.tier)
        if len(self._owners) >= OWNERS_MAX:
            self._owners.clear()
        self._owners[tenant, base_id] = (now_s, owner)
        return owner
