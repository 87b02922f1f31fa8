"""The exact cost of tokens."""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from schemas.chats import Usage


class Prices(Struct, frozen=True):
    """Of a million tokens, in the currency of the settings; so a token costs that many millionths."""

    prompt: float = 0.0
    completion: float = 0.0

    def cost_micros(self, usage: Usage) -> int:
        """Millionths of the currency, rounded once, for both together. The prices are taken as they were written, not as binary floats."""
        exact = usage.prompt_tokens * Decimal(str(self.prompt)) + usage.completion_tokens * Decimal(str(self.completion))
        return int(exact.to_integral_value(ROUND_HALF_UP))
