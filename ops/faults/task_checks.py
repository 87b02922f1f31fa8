"""What must hold of tasks whatever dies: each ends, in one state, in time, and what it does is done once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from ops.faults.evidence import SPEAKER
from ops.faults.history import TopicRecord, content_digest
from schemas.tasks import TERMINAL, TaskKind

AGE_S_MAX = 1_800.0  # from creation to the end: the limit of every kind


class WorkedTask(Struct, frozen=True, kw_only=True):
    """A task at the end of a run: ``views`` are all that the API showed of it once it had ended, without repeats."""

    id: str
    kind: TaskKind
    created_at: datetime
    views: tuple[dict[str, Any], ...] = ()

    @property
    def state(self) -> str:
        """The last one shown; "" while it was open."""
        return str(self.views[-1]["state"]) if self.views else ""

    @property
    def age_s(self) -> float | None:
        """From its creation to its end."""
        return (datetime.fromisoformat(self.views[-1]["ended_at"]) - self.created_at).total_seconds() if self.views else None


class TaskEvidence(Struct, frozen=True, kw_only=True):
    """What is left of a run. ``expected``: what each piece of work made, by its name, such as the id of a task. ``effects``: how often each
    effect happened, by its name; each must have happened once. ``rebuilt``: the tasks as they are after their table was rebuilt from the
    log, None when that was not done.
    """

    tasks: Sequence[WorkedTask]
    expected: Mapping[str, str] = field(default_factory=dict)
    effects: Mapping[str, int] = field(default_factory=dict)
    rebuilt: Mapping[str, dict[str, Any]] | None = None


def find_broken(evidence: TaskEvidence) -> Iterator[str]:
    """Every promise that was broken, as a sentence."""
    known = {task.id for task in evidence.tasks}
    for name, task_id in evidence.expected.items():
        if task_id not in known:
            yield f"{name}: there is no task {task_id or 'of it'}"
    for task in evidence.tasks:
        states = {view["state"] for view in task.views}
        if not task.views:
            yield f"{task.kind} {task.id} has not ended"
        elif not states <= TERMINAL or len(states) > 1:
            yield f"{task.kind} {task.id} ended as {', '.join(sorted(states))}"
        elif (task.age_s or 0.0) > AGE_S_MAX:
            yield f"{task.kind} {task.id} took {task.age_s:.0f} s, more than {AGE_S_MAX:.0f}"
        if task.views and evidence.rebuilt is not None and evidence.rebuilt.get(task.id) != task.views[-1]:
            yield f"{task.kind} {task.id} is another one after a rebuild: {task.views[-1]} and {evidence.rebuilt.get(task.id)}"
    for name, times in evidence.effects.items():
        if times != 1:
            yield f"{name}: happened {times} times"


def count_ends(records: Iterable[TopicRecord]) -> Mapping[str, Mapping[str, int]]:
    """How often the log says the same end, by what ended: ``indexed`` and ``deleted`` of a document's version by its task, ``stored`` and
    ``charged`` of an answer by its reply. A repeat of an event counts once, also one whose measured times differ, and a message whose
    attempt does: a worker that takes a reply over stores what it finds.
    """
    found: dict[str, dict[str, set[str]]] = {"indexed": {}, "deleted": {}, "stored": {}, "charged": {}}
    for record in records:
        data, value = record.data, record.value or {}
        if record.type == "document.progressed" and data["state"] in {"indexed", "deleted"}:
            found[data["state"]].setdefault(data.get("task_id", ""), set()).add(content_digest(data))
        elif record.type == "message.changed" and data.get("role", "assistant") == "assistant" and value["source"] == SPEAKER:
            found["stored"].setdefault(data["id"], set()).add(content_digest({**data, "attempt": 0}))
        elif record.type == "usage.recorded" and data.get("purpose", "answer") == "answer":
            found["charged"].setdefault(data["reply_id"], set()).add(value["id"])
    return {end: {name: len(each) for name, each in names.items()} for end, names in found.items()}
