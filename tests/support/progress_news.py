"""News of a document's progress, as agents publish them."""

from datetime import datetime

from schemas.documents import DocumentProgressed, Progress

TRACE = "00-11111111111111111111111111111111-2222222222222222-01"


def news(
    key: str, version: int, state: str, at: datetime, lane: str = "bulk", *, retries: int = 0, retry_at: datetime | None = None
) -> DocumentProgressed:
    tenant, base, document = key.split("/")
    data = Progress(
        knowledge_base_id=base,
        document_id=document,
        version=version,
        state=state,  # type: ignore[arg-type]
        lane=lane,  # type: ignore[arg-type]
        retries=retries,
        retry_at=retry_at,
    )
    return DocumentProgressed(id="i", source="/claw/test", subject=key, time=at, tenant=tenant, traceparent=TRACE, data=data)
