"""An inbox without caps."""


class NoCaps:
    async def reserve_for_inbox(self, tenant: str, base_id: str, document_id: str, size: int) -> None:
        """Room for everything."""
