"""Prices are exact."""

import pytest

from adapters.models.prices import Prices
from schemas.chats import Usage


@pytest.mark.parametrize(
    ("prices", "usage", "micros"),
    [
        (Prices(0.15, 0.6), Usage(prompt_tokens=1_000, completion_tokens=100), 210),
        (Prices(0.15, 0.6), Usage(prompt_tokens=1, completion_tokens=1), 1),
        (Prices(0.1, 0.2), Usage(prompt_tokens=5, completion_tokens=5), 2),
        (Prices(2.675, 0.0), Usage(prompt_tokens=200, completion_tokens=9), 535),
        (Prices(), Usage(prompt_tokens=10**8, completion_tokens=10**8), 0),
        (Prices(1e6, 1e6), Usage(prompt_tokens=10**8, completion_tokens=10**8), 2 * 10**14),
    ],
)
def test_prices_are_exact(prices: Prices, usage: Usage, micros: int) -> None:
    """A half is rounded up, and no binary fraction shows."""
    assert prices.cost_micros(usage) == micros
