"""The pure steps of jobs."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from domain.jobs.steps import count_failure, count_result, is_blocked, runs_now
from schemas.jobs import FAILURES_MAX, OPEN_STATES, TASK_STATES_OF, CleanUpAction, Job
from schemas.tasks import TERMINAL

AT = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(id="b", tenant="t", action=CleanUpAction(), created_at=AT)


def test_the_states_of_jobs_and_tasks_agree():
    assert {state for state, task in TASK_STATES_OF.items() if task not in TERMINAL} == OPEN_STATES


def test_only_the_first_failures_are_kept_and_all_are_counted():
    job = JOB
    for number in range(FAILURES_MAX + 5):
        job = count_failure(job, str(number), "not_found")
    assert (job.failed, len(job.failures), job.failures[0].id) == (FAILURES_MAX + 5, FAILURES_MAX, "0")
    assert count_result(count_result(JOB, "x"), "x", 2).results == {"x": 3}


def test_runs_take_turns_by_when_they_were_begun():
    earlier, later = replace(JOB, id="a", state="waiting"), replace(JOB, id="z", created_at=AT + timedelta(seconds=1))
    assert is_blocked(JOB, [earlier, JOB, later])
    assert not is_blocked(JOB, [replace(earlier, state="succeeded"), JOB, later])


def test_a_tick_runs_by_the_overlap_policy():
    running, waiting = replace(JOB, state="running"), replace(JOB, state="waiting")
    assert all(runs_now(overlap, 1, []) for overlap in ("skip", "queue", "cancel_old"))
    assert [runs_now(overlap, 1, [running]) for overlap in ("skip", "queue", "cancel_old")] == [False, True, True]
    assert [runs_now("queue", number, [running, waiting]) for number in (1, 2)] == [False, True]
