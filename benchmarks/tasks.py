"""What tracking tasks costs a chat: CPU of a stack with the agent ``track``, and of one without (``benchmarks/pairs.py``)."""

from benchmarks.figures import Figure
from benchmarks.pairs import measure_cost


async def run() -> list[Figure]:
    """Medians over the pairs."""
    return await measure_cost("CLAW_TASKS_TRACKED", ("tracked", "untracked", "tracking"), bar="<= 10%")
