"""The exact cost of tokens."""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from schemas.chats import Usage


class Prices(Struct, frozen=True):
    """Of a million tokens, in the currency of the settings; so a token costs that many millionths.

    ``cached``: of prompt tokens that the provider had cached; None: the price of the others.
    """

    prompt: float = 0.0
    completion: float = 0.0
    cached: float | None = None

    def cost_micros(self, usage: Usage) -> int:
        """Millionths of the currency, rounded once, for all together. The prices are taken as they were written, not as binary floats.
        Tokens of thinking are among those of the completion.
        """
        cached = min(usage.cached_tokens, usage.prompt_tokens) if self.cached is not None else 0
        exact = (usage.prompt_tokens - cached) * Decimal(str(self.prompt)) + usage.completion_tokens * Decimal(str(self.completion))
        if self.cached is not None:
            exact += cached * Decimal(str(self.cached))
        return int(exact.to_integral_value(ROUND_HALF_UP))


def choose_prices(listed: Prices | None, prompt: float | None, completion: float | None, cached: float | None) -> Prices:
    """The prices of the settings. Where they name neither prompt nor completion those of the list are used, else 0."""
    if prompt is None and completion is None:
        known = listed or Prices()
        return Prices(known.prompt, known.completion, known.cached if cached is None else cached)
    return Prices(prompt or 0.0, completion or 0.0, cached)
