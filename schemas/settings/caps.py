"""Settings of caps: how much an account, and all accounts of a tenant together, may hold at one time."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.records import Tier
from schemas.settings.section import Section

CapKind = Literal["streams", "sockets", "uploads", "conversations", "knowledge_bases", "documents", "stored_bytes", "idempotency_bytes"]
Cap = Annotated[int, Meta(ge=0, le=1_000_000_000_000_000)]

CAP_KINDS: tuple[CapKind, ...] = (
    "streams",
    "sockets",
    "uploads",
    "conversations",
    "knowledge_bases",
    "documents",
    "stored_bytes",
    "idempotency_bytes",
)


class CapSettings(Section, frozen=True, kw_only=True):
    """How much an account may hold at one time, by tier, and all accounts of a tenant together, over all replicas; 0 = no limit.

    A knowledge base and its documents, those of the tenant's inbox included, belong to the account that created it.
    """

    prefix: ClassVar[str] = "CLAW_CAP_"

    free_streams_max: Annotated[Cap, Meta(description="Open event streams, and answers that are waited for, per account of tier free.")] = (
        100
    )
    free_sockets_max: Annotated[Cap, Meta(description="Open WebSocket connections, per account of tier free.")] = 32
    free_uploads_max: Annotated[Cap, Meta(description="Uploads in progress, per account of tier free.")] = 32
    free_conversations_max: Annotated[Cap, Meta(description="Conversations, per account of tier free.")] = 10_000
    free_knowledge_bases_max: Annotated[Cap, Meta(description="Knowledge bases, per account of tier free.")] = 100
    free_documents_max: Annotated[Cap, Meta(description="Documents, per account of tier free.")] = 100_000
    free_stored_bytes_max: Annotated[Cap, Meta(description="Bytes of documents, per account of tier free.")] = 10_737_418_240
    free_idempotency_bytes_max: Annotated[
        Cap, Meta(description="Bytes of responses that are kept for repeats with the same `Idempotency-Key`, per account of tier free.")
    ] = 16_777_216
    pro_streams_max: Annotated[Cap, Meta(description="Open event streams, per account of tier pro.")] = 500
    pro_sockets_max: Annotated[Cap, Meta(description="Open WebSocket connections, per account of tier pro.")] = 128
    pro_uploads_max: Annotated[Cap, Meta(description="Uploads in progress, per account of tier pro.")] = 64
    pro_conversations_max: Annotated[Cap, Meta(description="Conversations, per account of tier pro.")] = 100_000
    pro_knowledge_bases_max: Annotated[Cap, Meta(description="Knowledge bases, per account of tier pro.")] = 1_000
    pro_documents_max: Annotated[Cap, Meta(description="Documents, per account of tier pro.")] = 1_000_000
    pro_stored_bytes_max: Annotated[Cap, Meta(description="Bytes of documents, per account of tier pro.")] = 107_374_182_400
    pro_idempotency_bytes_max: Annotated[Cap, Meta(description="Bytes kept behind idempotency keys, per account of tier pro.")] = 67_108_864
    enterprise_streams_max: Annotated[Cap, Meta(description="Open event streams, per account of tier enterprise.")] = 2_000
    enterprise_sockets_max: Annotated[Cap, Meta(description="Open WebSocket connections, per account of tier enterprise.")] = 512
    enterprise_uploads_max: Annotated[Cap, Meta(description="Uploads in progress, per account of tier enterprise.")] = 128
    enterprise_conversations_max: Annotated[Cap, Meta(description="Conversations, per account of tier enterprise.")] = 1_000_000
    enterprise_knowledge_bases_max: Annotated[Cap, Meta(description="Knowledge bases, per account of tier enterprise.")] = 10_000
    enterprise_documents_max: Annotated[Cap, Meta(description="Documents, per account of tier enterprise.")] = 10_000_000
    enterprise_stored_bytes_max: Annotated[Cap, Meta(description="Bytes of documents, per account of tier enterprise.")] = 1_099_511_627_776
    enterprise_idempotency_bytes_max: Annotated[
        Cap, Meta(description="Bytes kept behind idempotency keys, per account of tier enterprise.")
    ] = 268_435_456
    tenant_streams_max: Annotated[Cap, Meta(description="Open event streams, per tenant.")] = 4_000
    tenant_sockets_max: Annotated[Cap, Meta(description="Open WebSocket connections, per tenant.")] = 2_000
    tenant_uploads_max: Annotated[Cap, Meta(description="Uploads in progress, per tenant.")] = 256
    tenant_conversations_max: Annotated[Cap, Meta(description="Conversations, per tenant.")] = 1_000_000
    tenant_knowledge_bases_max: Annotated[Cap, Meta(description="Knowledge bases, per tenant.")] = 10_000
    tenant_documents_max: Annotated[Cap, Meta(description="Documents, per tenant.")] = 10_000_000
    tenant_stored_bytes_max: Annotated[Cap, Meta(description="Bytes of documents, per tenant.")] = 1_099_511_627_776
    tenant_idempotency_bytes_max: Annotated[Cap, Meta(description="Bytes kept behind idempotency keys, per tenant.")] = 1_073_741_824

    def of_account(self, tier: Tier, kind: CapKind) -> int:
        """The cap of an account of this tier."""
        return int(getattr(self, f"{tier}_{kind}_max"))

    def of_tenant(self, kind: CapKind) -> int:
        """The cap of all accounts of a tenant together."""
        return int(getattr(self, f"tenant_{kind}_max"))
