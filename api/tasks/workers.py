"""The workers as operators see them: what each reported last, by worker group. The reports survive the API; they are in Redis."""

from collections import Counter
from collections.abc import Sequence

from schemas.bodies.tasks import WorkerGroupView, WorkerView
from schemas.settings import WORKER_GROUPS
from streams.runtime.worker_registry import WorkerState


def group_workers(states: Sequence[WorkerState]) -> tuple[WorkerGroupView, ...]:
    """Every worker group with its workers, also one without any; names of tenants are left out."""
    names = (*WORKER_GROUPS, *sorted({state.lane for state in states} - set(WORKER_GROUPS)))
    return tuple(_group(name, [state for state in states if state.lane == name]) for name in names)


def _group(name: str, states: Sequence[WorkerState]) -> WorkerGroupView:
    lags: Counter[str] = Counter()
    rates: dict[str, float] = {}
    for state in states:
        lags.update(state.lags)
        for agent, rate in state.rates.items():
            rates[agent] = round(rates.get(agent, 0.0) + rate, 3)
    return WorkerGroupView(
        name=name,
        partitions=max((state.partitions for state in states), default=0),
        assigned=sum(state.assigned for state in states),
        lag=sum(state.lag for state in states),
        lags=dict(lags),
        rates=rates,
        in_flight=sum(sum(state.in_flight.values()) for state in states),
        memory_bytes=sum(state.memory_bytes for state in states),
        workers=tuple(_view(state) for state in states),
    )


def _view(state: WorkerState) -> WorkerView:
    return WorkerView(
        id=state.id,
        state="silent" if state.is_silent else "stuck" if state.stuck else "up" if state.ready else "starting",
        assigned=state.assigned,
        lag=state.lag,
        in_flight=state.in_flight,
        waiting=state.waiting,
        rates=state.rates,
        memory_bytes=state.memory_bytes,
        oldest_age_s=state.oldest_unacked_age_s,
        standstill_s=state.standstill_s,
        silent_s=round(state.silent_s, 3),
        started_at=state.started_at,
        problems=state.problems,
    )
