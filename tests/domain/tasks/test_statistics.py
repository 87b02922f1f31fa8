"""Statistics of tasks."""

from datetime import timedelta

from domain.tasks.statistics import durations_of, statistics_of
from schemas.tasks import Task, TaskState
from tests.support.task_events import NOW


def task(number: int, state: TaskState, started_s: float | None = None, ended_s: float | None = None) -> Task:
    at = [None if each is None else NOW + timedelta(seconds=each) for each in (started_s, ended_s)]
    return Task(id=f"t{number}", tenant="t", kind="rebuild", state=state, created_at=NOW, started_at=at[0], ended_at=at[1])


def test_durations_are_by_nearest_rank() -> None:
    """Of twenty values the tenth and the nineteenth; of one that one; a clock that goes back makes no negative time."""
    assert durations_of([]) is None
    assert durations_of([float(n) for n in range(20, 0, -1)]) == (20, 10.0, 19.0)
    assert durations_of([-3.0]) == (1, 0.0, 0.0)


def test_counts_and_rates() -> None:
    """By kind and state, a minute of the window."""
    tasks = [task(1, "PENDING"), task(2, "STARTED", 2), task(3, "SUCCESS", 4, 10), task(4, "SUCCESS", 6, 20)]
    (found,) = statistics_of(tasks, NOW, NOW + timedelta(minutes=2))
    assert found.counts == {"PENDING": 1, "STARTED": 1, "SUCCESS": 2}
    assert (found.waits, found.durations) == ((3, 4.0, 6.0), (2, 10.0, 20.0))
    assert (found.created_per_minute, found.ended_per_minute) == (2.0, 1.0)
