"""``claw faults --tasks N``: tasks of every kind on a stack of its own whose workers are killed at random, and what is left of them."""

import asyncio
import itertools
import secrets
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles

import aiohttp
import msgspec
from msgspec import Struct

from ops.faults.collect import read_topics
from ops.faults.run import REPORT_JSON, REPORT_TEXT
from ops.faults.target import TargetStack, launch_provider
from ops.faults.task_checks import TaskEvidence, find_broken
from ops.faults.task_load import ENDS, TaskAccount, TaskLoad, receiving_tasks
from ops.faults.task_plan import WorkerKill, draw_kills, draw_work
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings
from schemas.tasks import TASK_KINDS, TASK_STATES, TaskKind

TASKS_A_KILL = 20
PAUSE_S = 0.2  # between two pieces of work: 20 tasks take as long as the workers need to start again
DRAIN_S_MAX = 420.0  # for what was begun, after the last kill: a document that stalls is queued again after two minutes
EMAIL = "tasks@example.org"
TOPICS = "topics.jsonl"
OK = 200

Kill = Callable[[str], Awaitable[bool]]


class TaskAges(Struct, frozen=True, kw_only=True):
    """Tasks of one kind: how many ended in which state, and after how many seconds."""

    kind: TaskKind
    states: dict[str, int]
    p50_s: float
    p95_s: float
    max_s: float


class TasksReport(Struct, frozen=True, kw_only=True):
    """What a run has shown. ``kills`` by worker group; ``broken``: the promises that were, as sentences."""

    seed: int
    seconds: float
    tasks: int
    kills: dict[str, int]
    ages: tuple[TaskAges, ...]
    effects: int
    broken: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every promise held."""
        return not self.broken


async def run(seed: int, tasks: int, folder: Path) -> int:
    """Run, check, report into ``folder``; exit status 1 when a promise was broken."""
    print(f"seed {seed}, {tasks} tasks, about {tasks // TASKS_A_KILL} kills; the report goes to {folder}", flush=True)
    async with AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="claw-faults-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        provider = await stack.enter_async_context(launch_provider())
        target = TargetStack(home, provider.url, {"CLAW_WEBHOOK_NETWORKS": "127.0.0.0/8"})
        stack.push_async_callback(target.stop)
        stack.callback(shutil.copytree, home / "logs", folder / "logs", dirs_exist_ok=True)
        await target.start()
        session = await stack.enter_async_context(aiohttp.ClientSession(target.url, connector=aiohttp.TCPConnector(limit=0)))
        account = TaskAccount(session, await _log_in(target, session))

        async def kill(group: str) -> bool:
            return target.signal(target.process(group), signal.SIGKILL)

        async def rebuild() -> None:
            code, printed = await target.command("rebuild", "tables", "--table", "tasks")
            if code:
                raise ConfigurationError(f"claw rebuild tables: {printed.strip()[-500:]}")

        kafka, keep = target.settings.kafka, (folder / TOPICS).write_bytes
        report = await work_tasks(account, seed=seed, tasks=tasks, kill=kill, kafka=kafka, rebuild=rebuild, keep=keep)
    (folder / REPORT_JSON).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (folder / REPORT_TEXT).write_text(render_tasks(report) + "\n", encoding="utf-8")
    print(render_tasks(report))
    return 0 if report.passed else 1


async def _log_in(target: TargetStack, session: aiohttp.ClientSession) -> dict[str, str]:
    """The headers of an operator of the stack's own."""
    password = secrets.token_urlsafe(24)
    code, printed = await target.command("admin", "create", EMAIL, "--password-stdin", typed=f"{password}\n")
    if code:
        raise ConfigurationError(f"claw admin create: {printed.strip()[-500:]}")
    async with session.post("/api/v1/auth/login", json={"email": EMAIL, "password": password}) as answer:
        if answer.status != OK:
            raise ConfigurationError(f"the login was answered {answer.status}: {(await answer.text())[:300]}")
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def work_tasks(
    account: TaskAccount,
    *,
    seed: int,
    tasks: int,
    kill: Kill,
    kafka: KafkaSettings,
    rebuild: Callable[[], Awaitable[None]] | None = None,
    pause_s: float = PAUSE_S,
    kills: int | None = None,
    drain_s_max: float = DRAIN_S_MAX,
    keep: Callable[[bytes], object] | None = None,
) -> TasksReport:
    """Begin ``tasks`` tasks while workers are killed, wait for their ends, and check what is left. ``kill`` kills the worker of a group,
    False when none ran; ``keep`` gets the records of the topics that were looked at, as JSON lines. Raises Unavailable when the API does
    not answer.
    """
    began_s, killed = time.monotonic(), Counter[str]()
    planned = itertools.islice(draw_kills(seed), tasks // TASKS_A_KILL if kills is None else kills)
    async with receiving_tasks() as receiver:
        load = TaskLoad(account, receiver, draw_work(seed, tasks), pause_s=pause_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.begin())
            group.create_task(_kill_workers(planned, kill, killed))
        ended = await load.wait_ended(drain_s_max)
        rebuilt = None
        if rebuild is not None:
            await rebuild()
            rebuilt = {task["id"]: task for task in await account.read_tasks()}
        records = await read_topics(kafka, ENDS)
        if keep is not None:
            keep(msgspec.json.Encoder().encode_lines(records))
        evidence = await load.collect(records, rebuilt)
    broken = [] if ended else [f"not everything had ended {drain_s_max:g} s after the last kill"]
    return TasksReport(
        seed=seed,
        seconds=round(time.monotonic() - began_s, 1),
        tasks=len(evidence.tasks),
        kills=dict(sorted(killed.items())),
        ages=tuple(_ages(evidence)),
        effects=len(evidence.effects),
        broken=(*broken, *find_broken(evidence)),
    )


async def _kill_workers(plan: Iterable[WorkerKill], kill: Kill, killed: Counter[str]) -> None:
    for step in plan:
        await asyncio.sleep(step.after_s)
        killed[step.group] += await kill(step.group)


def _ages(evidence: TaskEvidence) -> Iterable[TaskAges]:
    for kind in TASK_KINDS:
        chosen = [task for task in evidence.tasks if task.kind == kind]
        ages = sorted(age for task in chosen if (age := task.age_s) is not None)
        if chosen:
            marks = quantiles(ages, n=20, method="inclusive") if len(ages) > 1 else (ages or [0.0]) * 19
            yield TaskAges(
                kind=kind,
                states=dict(sorted(Counter(task.state or "open" for task in chosen).items(), key=_state_order)),
                p50_s=round(marks[9], 2),
                p95_s=round(marks[18], 2),
                max_s=round(max(ages, default=0.0), 2),
            )


def _state_order(counted: tuple[str, int]) -> int:
    state = counted[0]
    return [str(each) for each in TASK_STATES].index(state) if state in TASK_STATES else len(TASK_STATES)


def render_tasks(report: TasksReport) -> str:
    """The report for people."""
    kills = ", ".join(f"{count} {group}" for group, count in report.kills.items()) or "none"
    lines = [f"{report.tasks} tasks in {report.seconds:g} s, seed {report.seed}; workers killed: {kills}"]
    for each in report.ages:
        states = ", ".join(f"{count} {state}" for state, count in each.states.items())
        lines.append(
            f"  {each.kind:<22} {states:<40} ended after {each.p50_s:g} s (median), {each.p95_s:g} s (95 %), {each.max_s:g} s (last)"
        )
    lines.append(f"{report.effects} effects were looked at, each has to be there once")
    lines += [f"BROKEN  {each}" for each in report.broken] or ["every promise held"]
    return "\n".join(lines)
