"""The fold of a task: steps go into slots, and the slots say what the task is.

A slot keeps one step, that of the greatest order; putting steps into slots is therefore commutative, associative and idempotent, and any
order of arrival and any number of repeats give the same task. An order is made of places on the log (``order_of``), never of the time of
arrival, and the steps of a slot come from one topic and one key, so that their offsets can be compared:

======== ==================================================== ================================
slot     what it keeps                                        greatest order
======== ==================================================== ================================
opened   the request: owner, subject, time                    the first
pending  that the work was queued, or queued again            the newest
started  that the work began                                  the first
progress how far it has come                                  the newest
ended    the outcome                                          by rank of the outcome, the first
retried  the task that repeats this one                       the newest
======== ==================================================== ================================

The states and their transitions are drawn in docs/tasks.md. A task with an outcome keeps one: nothing but a greater outcome replaces it,
such as the success of a document whose dead letter was redriven.
"""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.tasks import Task, TaskSlot, TaskState, TaskStep, TaskSubject
from streams.tables.record_table import order_of

OFFSET_MAX = 2**63 - 1

Slots = Mapping[TaskSlot, tuple[str, TaskStep]]  # the order and the step of each


class TaskPut(NamedTuple):
    """A step on its way into a slot of a task."""

    tenant: str
    task_id: str
    slot: TaskSlot
    order: str
    step: TaskStep


def first(offset: int, *, rank: int = 0) -> str:
    """The order of a slot that keeps the step of the highest rank, and of these the first."""
    return order_of(rank, OFFSET_MAX - offset)


def newest(offset: int) -> str:
    """The order of a slot that keeps the newest step."""
    return order_of(offset)


def put_step(slots: Slots, slot: TaskSlot, order: str, step: TaskStep) -> Slots:
    """The slots with this step, if its order is the greatest so far. The table does the same in Redis."""
    known = slots.get(slot)
    return slots if known is not None and known[0] >= order else {**slots, slot: (order, step)}


def read_task(tenant: str, task_id: str, slots: Slots) -> Task | None:
    """The task that these slots are; None without any."""
    steps = {name: step for name, (_, step) in slots.items()}
    retried = steps.pop("retried", None)
    if not steps:
        return None
    opened, pending, ended = steps.get("opened"), steps.get("pending"), steps.get("ended")
    began = min((step for step in (steps.get("started"), steps.get("progress")) if step), key=lambda step: step.at, default=None)
    present = max((step for step in (steps.get("started"), steps.get("progress")) if step), key=lambda step: step.run, default=None)
    latest = ended or present or pending or opened
    assert latest is not None
    known = [step for step in (opened, ended, present, began, pending) if step is not None]
    state = _state(pending, present, ended)
    waiting = pending if state == "RETRY" else None
    furthest = max(known, key=lambda step: (step.total > 0, step is ended, step.done))
    return Task(
        id=task_id,
        tenant=tenant,
        kind=known[0].kind,
        state=state,
        account=next((step.account for step in known if step.account), ""),
        subject=next((step.subject for step in known if step.subject != TaskSubject()), TaskSubject()),
        title=next((step.title for step in known if step.title), ""),
        created_at=opened.at if opened is not None else min(step.at for step in known),
        started_at=None if began is None else began.at,
        ended_at=None if ended is None else ended.at,
        attempts=max(*(step.attempts for step in known), int(began is not None)),
        done=furthest.done,
        total=furthest.total,
        unit=furthest.unit,
        lane=next((step.lane for step in (pending, present) if step is not None and step.lane), ""),
        cause=ended.cause if ended is not None else waiting.cause if waiting is not None else None,
        retry_at=None if waiting is None else waiting.retry_at,
        parent=next((step.retry_of for step in known if step.retry_of), ""),
        retry="" if retried is None else retried.retry_id,
    )


def _state(pending: TaskStep | None, present: TaskStep | None, ended: TaskStep | None) -> TaskState:
    if ended is not None:
        return ended.state
    if present is None:
        return "PENDING" if pending is None or not pending.attempts else "RETRY"
    return "RETRY" if pending is not None and pending.run > present.run else "STARTED"
