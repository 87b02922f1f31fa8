"""What the command line asks for, checked."""

import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ops.faults import run as faults
from ops.faults import task_run
from schemas.errors import ConfigurationError

MINUTES_MIN, MINUTES_MAX = 0.2, 120.0
TASKS_MIN, TASKS_MAX = 10, 10_000


def run(*, seed: int | None, minutes: float, out: str, redis_loss: bool, check: str, tasks: int | None) -> Coroutine[Any, Any, int] | int:
    """The exit status, or the run that ends with it. Raises ConfigurationError."""
    if check:
        return faults.check_file(Path(check))
    if not MINUTES_MIN <= minutes <= MINUTES_MAX:
        raise ConfigurationError(f"--minutes: {minutes:g} is not a number from {MINUTES_MIN:g} to {MINUTES_MAX:g}")
    if tasks is not None and not TASKS_MIN <= tasks <= TASKS_MAX:
        raise ConfigurationError(f"--tasks: {tasks} is not a number from {TASKS_MIN} to {TASKS_MAX:,}")
    chosen = faults.draw_seed() if seed is None else seed
    folder = Path(out) if out else Path(tempfile.mkdtemp(prefix=f"claw-faults-{chosen}-"))
    if tasks is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return task_run.run(chosen, tasks, folder.absolute())
    return faults.run(faults.FaultsOptions(seed=chosen, minutes=minutes, folder=folder.absolute(), flush=redis_loss))
