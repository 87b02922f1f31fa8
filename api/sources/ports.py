"""What the routes of sources use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.children.pages import PageRenderer
from api.area import Opening
from api.chats.ports import ChatPorts
from api.core import Core
from api.documents.ports import DocumentPorts
from api.http.open_count import AccountCount
from api.http.ports import HttpPorts
from api.http.recent import Recent
from api.sources.image_cache import ImageCache
from domain.documents.sources import StoredFile
from schemas.errors import Unavailable

FILES_MAX = 2_000  # versions whose file is remembered
RETRY_AFTER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePorts:
    """``renderer`` is None where page images are switched off; ``files`` by document, version and newest version; ``rendering`` counts by
    account.
    """

    core: Core
    http: HttpPorts
    chats: ChatPorts
    documents: DocumentPorts
    renderer: PageRenderer | None
    images: ImageCache
    files: Recent[tuple[str, int, int], StoredFile]
    rendering: AccountCount
    rendering_max: int

    @contextmanager
    def rendering_slot(self, account_id: str) -> Iterator[None]:
        """Room for one more page of the account; Unavailable("overloaded") when it has as many as it may have in this process."""
        if self.rendering[account_id] >= self.rendering_max:
            detail = f"{self.rendering_max} pages are being made for this account (CLAW_DOCUMENT_PAGE_REQUESTS_MAX)"
            raise Unavailable("overloaded", detail, retry_after_s=RETRY_AFTER_S)
        self.rendering.add(account_id)
        try:
            yield
        finally:
            self.rendering.remove(account_id)


def open_ports(opening: Opening) -> SourcePorts:
    """Built from the core, the chats and the documents."""
    core, settings = opening.core, opening.core.settings.documents
    renderer = PageRenderer(settings, confinement=core.settings.parsers.confinement) if settings.page_processes else None
    if renderer is not None:
        opening.run(renderer)
    return SourcePorts(
        core=core,
        http=opening.ports(HttpPorts),
        chats=opening.ports(ChatPorts),
        documents=opening.ports(DocumentPorts),
        renderer=renderer,
        images=ImageCache(settings.page_cache_mib * 1024 * 1024, settings.page_cache_s, core.clock),
        files=Recent(FILES_MAX),
        rendering=AccountCount(),
        rendering_max=settings.page_requests_max,
    )
