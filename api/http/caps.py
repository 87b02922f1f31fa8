"""The caps on what callers hold, as routes use them: places of a request, room for a record, room for a document."""

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal, cast

from litestar.types import Scope

from api.core import Core
from api.http.identity import Caller
from domain.document_caps import DocumentCaps, DocumentSize, Owner
from domain.documents.storage import Storage
from domain.limits.caps import OWNERS, CapOwner, CapShortage, cap_refusal
from domain.limits.kept_bytes import KeptBytes
from domain.limits.places import Place, Places
from schemas.bodies.limits import LimitView
from schemas.errors import Refused, Unavailable
from schemas.settings.caps import CAP_KINDS, CapKind, CapSettings
from streams.tables.record_room import RecordRoom
from streams.tables.record_table import RecordTable

RecordKind = Literal["conversations", "knowledge_bases"]

WIDGET_STREAMS = "widget_streams"  # name of the cap of one key
_HELD = "places"  # in the scope's state: what frees the places of the request; None once it has ended


class Caps:
    """The caps of this installation. A refusal names the cap's setting, what is in use, and the limit."""

    def __init__(self, core: Core, places: Places) -> None:
        self._core, self._places, self._settings = core, places, core.live.of(CapSettings)
        prefix, models = core.settings.redis.key_prefix, core.read_models
        self._documents = DocumentCaps(self._settings, Storage(core.redis, prefix), models, core.clock)
        self._kept = KeptBytes(core.redis, prefix)
        tables: dict[RecordKind, dict[CapOwner, RecordTable[Any]]] = {
            "conversations": {"account": models.conversations, "tenant": models.tenant_conversations},
            "knowledge_bases": {"account": models.account_knowledge_bases, "tenant": models.knowledge_bases},
        }
        self._rooms = {kind: {owner: RecordRoom(core.redis, table) for owner, table in of.items()} for kind, of in tables.items()}

    async def take_place(self, kind: CapKind, caller: Caller) -> Place:
        """A place, to be freed by ``free_place``. Raises Refused."""
        account_max, tenant_max = self._limits(kind, caller)
        taken = await self._places.take(kind, caller.tenant, caller.account_id, account_max=account_max, tenant_max=tenant_max)
        if isinstance(taken, CapShortage):
            raise self._refusal(taken, caller)
        return taken

    def free_place(self, place: Place) -> None:
        """A repeat does nothing."""
        self._places.free(place)

    async def hold(self, scope: Scope, kind: CapKind, caller: Caller) -> None:
        """Take a place until the request has ended, its stream included. Raises Refused."""
        self._hold(scope, await self.take_place(kind, caller))

    def _hold(self, scope: Scope, place: Place) -> None:
        held = _state_of(scope).setdefault(_HELD, [])
        if held is None:  # the frame of a socket was left before its request had begun to answer
            self._places.free(place)
        else:
            held.append(partial(self._places.free, place))

    async def hold_widget_stream(self, scope: Scope, caller: Caller, streams_max: int) -> None:
        """Take one of the streams of a widget's key, which are none of its account's, until the request has ended. Raises Refused."""
        tenant_max = self._settings.value.of_tenant("streams")
        taken = await self._places.take("streams", caller.tenant, caller.key_id, account_max=streams_max, tenant_max=tenant_max)
        if not isinstance(taken, CapShortage):
            self._hold(scope, taken)
        elif taken.owner == "tenant":
            raise self._refusal(taken, caller)
        else:
            self._core.metrics.refusals.labels(WIDGET_STREAMS).inc()
            detail = f"{taken.used} of {taken.limit} answers of this widget are being read (streams_max of its key)"
            raise Refused("too_many_streams", detail, retry_after_s=1, rule=WIDGET_STREAMS)

    @asynccontextmanager
    async def place(self, kind: CapKind, caller: Caller) -> AsyncIterator[None]:
        """A place for as long as the block lasts. Raises Refused."""
        place = await self.take_place(kind, caller)
        try:
            yield
        finally:
            self._places.free(place)

    @asynccontextmanager
    async def room(self, kind: RecordKind, caller: Caller, record_id: str) -> AsyncIterator[None]:
        """Room for a record that the block writes. Raises Refused; Unavailable."""
        reserved: list[tuple[RecordRoom, str]] = []
        try:
            for owner, limit in zip(OWNERS, self._limits(kind, caller), strict=True):
                if limit:
                    room, scope = self._rooms[kind][owner], _scope_of(owner, caller)
                    found = await room.reserve(scope, record_id, limit)
                    if not found.granted:
                        raise self._refusal(CapShortage(kind, owner, found.used, limit), caller)
                    reserved.append((room, scope))
            yield
        finally:
            with suppress(Unavailable):  # it expires
                for room, scope in reserved:
                    await room.release(scope, record_id)

    async def reserve_document(self, caller: Caller, base_id: str, document_id: str, size: int) -> None:
        """Count a document of ``size`` bytes before it is submitted. Raises Refused; Unavailable."""
        try:
            await self._documents.reserve(DocumentSize(caller.tenant, base_id, document_id, size), Owner(caller.account_id, caller.tier))
        except Refused as refusal:
            self._core.metrics.refusals.labels(refusal.rule).inc()
            raise

    async def release_document(self, caller: Caller, base_id: str, document_id: str) -> None:
        """The document did not reach the log."""
        await self._documents.release(caller.tenant, base_id, document_id)

    async def keep_bytes(self, caller: Caller, size: int) -> None:
        """Count bytes that are kept behind an idempotency key. Raises Refused; Unavailable."""
        account_max, tenant_max = self._limits("idempotency_bytes", caller)
        shortage = await self._kept.add(caller.tenant, caller.account_id, size, account_max=account_max, tenant_max=tenant_max)
        if shortage is not None:
            raise self._refusal(shortage, caller)

    async def views(self, caller: Caller) -> list[LimitView]:
        """What the caller and their tenant hold of every cap that is set. Raises Unavailable."""
        views = []
        for kind in CAP_KINDS:
            for owner, limit in zip(OWNERS, self._limits(kind, caller), strict=True):
                if limit:
                    used = await self._count(kind, owner, caller)
                    unit, remaining = "bytes" if kind.endswith("bytes") else kind, max(0, limit - used)
                    view = LimitView(
                        name=kind, kind="cap", scope=owner, unit=unit, used=used, limit=limit, remaining=remaining, reset_s=None
                    )
                    views.append(view)
        return views

    async def _count(self, kind: CapKind, owner: CapOwner, caller: Caller) -> int:
        account_id = caller.account_id if owner == "account" else ""
        if kind in ("conversations", "knowledge_bases"):
            return await self._rooms[kind][owner].count(_scope_of(owner, caller))
        if kind in ("documents", "stored_bytes"):
            documents = self._documents
            totals = await (documents.account_totals(caller.tenant, account_id) if account_id else documents.tenant_totals(caller.tenant))
            return totals.documents if kind == "documents" else totals.bytes
        if kind == "idempotency_bytes":
            return await self._kept.count(caller.tenant, self._core.clock.now().timestamp(), account_id)
        return await self._places.count(kind, caller.tenant, account_id)

    def _limits(self, kind: CapKind, caller: Caller) -> tuple[int, int]:
        caps = self._settings.value
        return caps.of_account(caller.tier, kind), caps.of_tenant(kind)

    def _refusal(self, shortage: CapShortage, caller: Caller) -> Refused:
        self._core.metrics.refusals.labels(shortage.rule).inc()
        return cap_refusal(shortage, caller.tier)


def free_held(scope: Scope) -> None:
    """The request has ended: free what ``hold`` took for it, or takes later."""
    state = _state_of(scope)
    for free in state.get(_HELD) or ():
        free()
    state[_HELD] = None


def _state_of(scope: Scope) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", scope["state"])


def _scope_of(owner: CapOwner, caller: Caller) -> str:
    return f"{caller.tenant}/{caller.account_id}" if owner == "account" else caller.tenant
