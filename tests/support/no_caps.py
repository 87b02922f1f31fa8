"""An inbox without caps."""

from collections.abc import Sequence

from domain.document_caps import DocumentSize


class NoCaps:
    async def reserve_for_inbox(self, documents: Sequence[DocumentSize]) -> None:
        """Room for everything."""
