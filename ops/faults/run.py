"""``claw faults``: a stack of its own under load and faults, its history checked, and the report. Exit 1 on anything that did not hold."""

import asyncio
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec

from claw_client import Client
from ops.faults.checker import check_history
from ops.faults.clients import ERRORS, RecordedClient
from ops.faults.collect import collect
from ops.faults.history import BYTES_MAX, FaultHistory, FinalReading, HistoryFullError, HistoryRecorder, InjectedFault, read_history
from ops.faults.load import FaultLoad, watch_readiness
from ops.faults.nemesis import Nemesis, ProbeSuite
from ops.faults.plan import draw_plan
from ops.faults.promises.running import name_of
from ops.faults.report import LOAD, FaultsReport, make_report, render
from ops.faults.states import count_states
from ops.faults.target import FaultProvider, TargetStack, launch_provider
from ops.faults.texts import tenant_words
from ops.faults.upstream import write_inbox
from schemas.errors import ClawError, ConfigurationError

SHORT_MINUTES = 5.0  # a run below this is not expected to meet every state
WARM_S = 3.0  # of load before the first fault
DRAIN_S_MAX = 60.0  # for what was begun, after the last fault has healed
HISTORY, REPORT_JSON, REPORT_TEXT = "history.jsonl", "report.json", "report.txt"


@dataclass(frozen=True, slots=True)
class FaultsOptions:
    """``folder`` receives history and report. ``flush``: Redis may lose its data. ``settings``: more variables of the stack."""

    seed: int
    minutes: float
    folder: Path
    flush: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


def draw_seed() -> int:
    """A fresh seed."""
    return secrets.randbelow(2**31)


async def run(options: FaultsOptions) -> int:
    """Run, check, report; exit status 1 when a promise was broken or a state was never met."""
    report = await inject_faults(options)
    print(render(report))
    print(f"history and report: {options.folder}")
    return 0 if report.passed else 1


def check_file(path: Path) -> int:
    """Check a recorded history again."""
    try:
        history = read_history(path)
    except OSError as error:
        raise ConfigurationError(f"--check: {path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"--check: {path} is no history: {error}") from error
    report = _judge(history, seed=-1, seconds=0.0, short=False)
    print(render(report))
    return 0 if report.passed else 1


async def inject_faults(options: FaultsOptions) -> FaultsReport:
    """The run itself. Raises ConfigurationError when it cannot begin."""
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, {options.minutes:g} minutes; history and report go to {options.folder}", flush=True)
    began, interrupted = time.monotonic(), ""
    with (options.folder / HISTORY).open("wb") as file:
        recorder = HistoryRecorder(file, bytes_max=BYTES_MAX)
        try:
            await _run_stack(options, recorder)
        except HistoryFullError:
            interrupted = f"the history reached {BYTES_MAX >> 20} MiB"
        except ClawError as error:
            interrupted = error.detail or error.code
    history = recorder.history
    report = _judge(
        history, seed=options.seed, seconds=time.monotonic() - began, short=options.minutes < SHORT_MINUTES, interrupted=interrupted
    )
    (options.folder / REPORT_JSON).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    (options.folder / REPORT_TEXT).write_text(render(report) + "\n", encoding="utf-8")
    return report


def _judge(history: FaultHistory, *, seed: int, seconds: float, short: bool, interrupted: str = "") -> FaultsReport:
    violations, states = check_history(history), count_states(history)
    return make_report(history, violations, states, seed=seed, seconds=seconds, short=short, interrupted=interrupted)


async def _run_stack(options: FaultsOptions, recorder: HistoryRecorder) -> None:
    async with AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="claw-faults-"))
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        provider = await stack.enter_async_context(launch_provider())
        target = TargetStack(home, provider.url, options.settings)
        stack.push_async_callback(target.stop)
        stack.callback(_keep_logs, home, options.folder)
        _measure_machine(recorder)
        await target.start()
        clients = [await stack.enter_async_context(_client(target, word, recorder)) for word in tenant_words(2)]
        await _run_faults(options, target, provider, clients, recorder)
        print("  everything is read", flush=True)
        await collect(target, provider, clients, recorder)
        _measure_machine(recorder)


def _measure_machine(recorder: HistoryRecorder) -> None:
    """How busy this machine is, by processes that want a processor: recovery on a busy one is that of its scheduler."""
    recorder.add(FinalReading(at=recorder.now(), name=LOAD, value=round(os.getloadavg()[0] / (os.cpu_count() or 1), 1)))


def _keep_logs(home: Path, folder: Path) -> None:
    """The logs of all parts, beside the history."""
    shutil.copytree(home / "logs", folder / "logs", dirs_exist_ok=True)


@asynccontextmanager
async def _client(target: TargetStack, word: str, recorder: HistoryRecorder) -> AsyncIterator[RecordedClient]:
    """An account: the first tenant's is the service account that ``claw up`` made, the second one registers."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(target.url, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        if word == tenant_words(1)[0]:
            client = await Client.with_token(session, target.key)
        else:
            client = await Client.register(session, f"{word}@example.org", secrets.token_urlsafe(24))
        yield RecordedClient(session, client.headers, tenant=word, base=client.knowledge_base, recorder=recorder, name=word)


async def _run_faults(
    options: FaultsOptions, target: TargetStack, provider: FaultProvider, clients: list[RecordedClient], recorder: HistoryRecorder
) -> None:
    """Load and faults side by side; then what was begun is read to its end."""
    load = FaultLoad(recorder, random.Random(options.seed))  # noqa: S311 - to be repeated, not to be secret
    north, south = clients
    strangers = {north.tenant: f"knowledge/{south.base}/documents", south.tenant: f"knowledge/{north.base}/documents"}
    watching = asyncio.create_task(watch_readiness(recorder, target.url, load.closed))
    upstream = write_inbox(load, north.named("upstream"), load.fork(), lambda: target.settings.kafka)
    working = [asyncio.create_task(each) for each in (*load.tasks(clients, strangers), upstream)]
    nemesis = Nemesis(target, provider, ProbeSuite(south.named("probe")), recorder, lambda group: _tell(recorder, group))
    try:
        await asyncio.sleep(WARM_S)
        until = recorder.now() + options.minutes * 60 - WARM_S
        await _first_failure(asyncio.create_task(nemesis.run(draw_plan(options.seed, flush=options.flush), until)), working, watching)
        load.over.set()
        print(f"  the last fault has healed; {len(working)} clients finish what they began", flush=True)
        _, late = await asyncio.wait(working, timeout=DRAIN_S_MAX)
        load.closed.set()
        await asyncio.wait((*late, watching), timeout=2 * DRAIN_S_MAX / 3)
    finally:
        load.over.set()
        load.closed.set()
        for task in (*working, watching):
            task.cancel()
        for result in await asyncio.gather(*working, watching, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, ERRORS):
                raise result


async def _first_failure(nemesis: "asyncio.Task[None]", working: list["asyncio.Task[None]"], watching: "asyncio.Task[None]") -> None:
    """Wait for the nemesis; a task of the load that fails ends the run."""
    try:
        waiting = {nemesis, watching, *working}
        while nemesis in waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        nemesis.cancel()
        await asyncio.gather(nemesis, return_exceptions=True)


def _tell(recorder: HistoryRecorder, group: list[InjectedFault]) -> None:
    """One line a group, while it runs."""
    question, document = ("-" if each is None else f"{each:.1f}" for each in (group[-1].question_s, group[-1].document_s))
    replies = sum(frame.name == "completed" for frame in recorder.history.frames)
    print(f"  {group[0].number:>3} {name_of(group):<40} question {question:>5} s, document {document:>5} s; {replies} answers", flush=True)
    sys.stdout.flush()
