"""Prices are exact."""

import pytest

from adapters.models.prices import Prices, choose_prices
from schemas.chats import Usage


@pytest.mark.parametrize(
    ("prices", "usage", "micros"),
    [
        (Prices(0.15, 0.6), Usage(prompt_tokens=1_000, completion_tokens=100), 210),
        (Prices(0.15, 0.6), Usage(prompt_tokens=1, completion_tokens=1), 1),
        (Prices(0.1, 0.2), Usage(prompt_tokens=5, completion_tokens=5), 2),
        (Prices(2.675, 0.0), Usage(prompt_tokens=200, completion_tokens=9), 535),
        (Prices(), Usage(prompt_tokens=10**8, completion_tokens=10**8), 0),
        (Prices(2.0, 8.0, 0.5), Usage(prompt_tokens=100, completion_tokens=10, cached_tokens=60, reasoning_tokens=9), 190),
        (Prices(2.0, 8.0), Usage(prompt_tokens=100, completion_tokens=10, cached_tokens=60), 280),
        (Prices(2.0, 0.0, 0.0), Usage(prompt_tokens=5, cached_tokens=99), 0),
        (Prices(1e6, 1e6), Usage(prompt_tokens=10**8, completion_tokens=10**8), 2 * 10**14),
    ],
)
def test_prices_are_exact(prices: Prices, usage: Usage, micros: int) -> None:
    """A half is rounded up, and no binary fraction shows."""
    assert prices.cost_micros(usage) == micros


@pytest.mark.parametrize(
    ("listed", "given", "chosen"),
    [
        (Prices(1.4, 4.4, 0.26), (None, None, None), Prices(1.4, 4.4, 0.26)),
        (Prices(1.4, 4.4, 0.26), (None, None, 0.1), Prices(1.4, 4.4, 0.1)),
        (Prices(1.4, 4.4, 0.26), (0.0, None, None), Prices(0.0, 0.0)),
        (Prices(1.4, 4.4, 0.26), (1.0, 2.0, None), Prices(1.0, 2.0)),
        (None, (None, None, None), Prices()),
    ],
)
def test_the_settings_prices_go_before_the_list(
    listed: Prices | None, given: tuple[float | None, float | None, float | None], chosen: Prices
) -> None:
    assert choose_prices(listed, *given) == chosen
