"""What the statistics of use cost a chat: CPU of a stack that counts them, against the same stack without (``benchmarks/pairs.py``)."""

from benchmarks.figures import Figure
from benchmarks.pairs import measure_cost


async def run() -> list[Figure]:
    """Medians over the pairs."""
    return await measure_cost("CLAW_STATISTICS_COUNTED", ("counted", "uncounted", "counting"), bar="<= 5%")
