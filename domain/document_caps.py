"""The caps on documents: how many, and how many bytes, an account and its tenant may store, whichever way they arrive.

The account of a document is the one that its knowledge base belongs to; who submitted it is not on the record of its progress. With Redis
down nothing is counted and nothing refused here: the sums follow from the progress of the documents afterwards.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.documents.storage import RoomRequest, Storage, StorageCaps, StorageTotals
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


class DocumentSize(NamedTuple):
    """A document that is about to be submitted, and its size in bytes."""

    tenant: str
    base_id: str
    document_id: str
    size: int


class DocumentCaps:
    """Refuses documents beyond a cap."""

    def __init__(self, settings: Live[CapSettings], storage: Storage, read_models: ReadModels, clock: Clock) -> None:
        self._settings, self._storage, self._read_models, self._clock = settings, storage, read_models, clock
        self._owners: dict[tuple[str, str], tuple[float, Owner]] = {}

    async def reserve(self, document: DocumentSize, owner: Owner) -> None:
        """Count the document before it is submitted. Raises Refused("documents_full" or "storage_full"); Unavailable."""
        await self._reserve([(document, owner)])

    async def reserve_for_inbox(self, documents: Sequence[DocumentSize]) -> None:
        """The same for documents of inboxes, whose accounts are those of their knowledge bases; never Unavailable.

        Raises Refused for the first that is beyond a cap. The others are counted, and a repeat counts none of them twice.
        """
        try:
            await self._reserve([(each, await self._find_owner(each.tenant, each.base_id)) for each in documents])
        except Unavailable:
            return

    async def _reserve(self, documents: Sequence[tuple[DocumentSize, Owner]]) -> None:
        bases: dict[tuple[str, str], tuple[str, ...]] = {}
        requests, owners = list[RoomRequest](), list[Owner]()
        for document, owner in documents:
            caps = self._storage_caps(owner)
            if not any(caps):
                continue
            own: tuple[str, ...] = ()
            if caps.account_documents or caps.account_bytes:
                key = (document.tenant, owner.account_id)
                if key not in bases:
                    bases[key] = await self._read_models.account_knowledge_bases.ids("/".join(key))
                own = bases[key] if document.base_id in bases[key] else (*bases[key], document.base_id)
            requests.append(RoomRequest(*document, caps, own))
            owners.append(owner)
        for shortage, owner in zip(await self._storage.reserve_many(requests), owners, strict=True):
            if shortage is not None:
                raise cap_refusal(shortage, owner.tier)

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
