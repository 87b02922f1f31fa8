"""Starts the parts in order, keeps them running, stops them in order.

Order: Kafka and Redis, then the topics, then the workers and the API side by side. A part that dies is started again after a pause that
doubles up to a limit; the others continue, as each of them tolerates the absence of any other. Stopping takes the reverse order, in bounded
time.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from ops.stack import fork_server, jars, kafka, redis
from ops.stack.child import Component, ComponentProcess, StartFailed, describe_exit
from ops.stack.fork_server import ForkServerProcess
from ops.stack.log_pipes import LogPipes
from ops.stack.plan import Plan
from ops.stack.state import ProcessRecord, StackState, start_ticks, state_path, this_process, write_state
from schemas.errors import ClawError, ConfigurationError, Unavailable

START_ATTEMPTS = 3  # before the whole start is given up: enough for a blip, too few to hide a broken installation
PAUSE_FIRST_S, PAUSE_MAX_S = 0.5, 30.0  # before a restart; doubles with every death that follows soon
SETTLE_S = 20.0  # a broker that has just started answers by then; a later failure has another cause
STEADY_S = 10.0  # a part that lived this long did not die of its start: it starts again with the first pause
MISCONFIGURED = 2  # exit code of our commands for a ConfigurationError: trying again cannot help
HELPERS_LOOK_S = 1.0  # whether the writer of the logs and the fork server live: pipes hold what is printed, parts are executed meanwhile

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Supervisor:
    """One stack. Call ``run`` from the main thread only: signals and the children's tie to the parent require it."""

    def __init__(self, plan: Plan, say: Callable[[str], None] = print) -> None:
        self._plan = plan
        self._say = say
        self._children: dict[str, ComponentProcess] = {}
        self._restarts: dict[str, int] = {}
        self._died: dict[str, asyncio.Event] = {}
        self._keepers: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._ready = False
        self._logs: LogPipes | None = None
        self._forks: ForkServerProcess | None = None

    async def run(self) -> None:
        """Start, keep, and stop everything on SIGINT or SIGTERM. Raises Ended or ClawError when it cannot start; nothing is left then."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._detect_dead)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._request_stop)
        node = self._plan.settings.node
        environ = {"CLAW_HOME": str(self._plan.home)}  # so that it is known whose it is
        self._logs = LogPipes(self._plan.logs, environ, bytes_max=node.log_bytes_max, older_max=node.log_files_max)
        if any(map(fork_server.is_forkable, self._plan.services)):
            self._forks = fork_server.start(self._plan.service_environ)  # it imports while the servers start
        stopping = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._start())
        helping = asyncio.create_task(self._keep_helpers(self._logs))
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await self._wait_for_stop()
        finally:
            for task in (starting, stopping, *self._keepers):
                task.cancel()
            await asyncio.wait((starting, stopping, *self._keepers))  # no process may be started from here on
            await self._stop_all()
            helping.cancel()
            await asyncio.wait((helping,))
            if self._forks:
                self._forks.stop()
            await self._logs.close()

    def _request_stop(self) -> None:
        if self._stop.is_set():  # the second signal: kill at once
            for child in self._children.values():
                child.signal(signal.SIGKILL)
        self._stop.set()

    async def _start(self) -> None:
        self._save_state()
        await _run_all(self._start_log(), self._make_embedding_table())
        if self._forks:
            await self._forks.wait_ready()
        await _run_all(self._make_key(), *(self._start_part(component) for component in self._plan.services))
        self._ready = True
        self._save_state()
        self._say(f"{'admin':<10} to make an administrator: {self._plan.command} admin create EMAIL")
        self._say(f"{'pages':<10} {self._plan.url}/ in a browser")
        self._say(f"ready {self._plan.url}")

    async def _start_log(self) -> None:
        await self._start_servers()
        await self._apply_topics()

    async def _make_embedding_table(self) -> None:
        """Make it while the servers start: the workers need it, and Kafka takes as long on a machine that has two cores."""
        from adapters.embedders import local, multilingual  # noqa: PLC0415 - half a second of imports, while Kafka starts

        retrieval = self._plan.settings.retrieval
        if retrieval.embedding == local.DEFAULT and not multilingual.is_made(local.table_folder(retrieval)):
            self._say(f"{'embedding':<10} making the multilingual table, once per user (about 25 s)")
            began = time.monotonic()
            await asyncio.to_thread(local.prepare_embeddings, retrieval, retrieval.embedding)
            self._say(f"{'embedding':<10} {local.table_folder(retrieval)} ({time.monotonic() - began:.1f} s)")

    async def _start_servers(self) -> None:
        plan = self._plan
        servers: list[Coroutine[Any, Any, None]] = []
        if plan.redis:
            redis.check_version(plan.settings.redis, plan.environ)
            servers.append(self._start_part(redis.prepare(plan.redis, plan.environ)))
        if plan.kafka:
            servers.append(self._start_kafka(plan.kafka))
        await _run_all(*servers)

    async def _start_kafka(self, node: kafka.KafkaNode) -> None:
        if jars.any_absent(jars.maven_folder(self._plan.environ)):
            self._say(f"{'kafka':<10} fetching Apache Kafka {jars.kafka_version()}, once per user (43 MB)")
        await self._start_part(await asyncio.to_thread(kafka.prepare, node, self._plan.environ))

    async def _apply_topics(self) -> None:
        from ops.commands import topics  # noqa: PLC0415 - its client takes 0.3 s to import, which pass while Kafka starts

        began, catalogue = time.monotonic(), topics.catalogue(self._plan.settings)
        changed = await _repeat_until_taken(lambda: topics.apply(self._plan.settings.kafka, catalogue))
        self._say(f"{'topics':<10} {len(catalogue)}, {len(changed)} made or changed ({time.monotonic() - began:.1f} s)")

    async def _make_key(self) -> None:
        from ops.commands import keys  # noqa: PLC0415 - imported while the workers start

        if path := await _repeat_until_taken(lambda: keys.ensure_local(self._plan.settings)):
            self._say(f"{'key':<10} {path} (an API key of tenant {keys.LOCAL_TENANT})")

    async def _start_part(self, component: Component) -> None:
        """Start one part and wait until its probe succeeds; a few attempts, then Ended is raised."""
        began, pause_s = time.monotonic(), PAUSE_FIRST_S
        for attempt in range(START_ATTEMPTS):
            child = self._spawn(component)
            try:
                await child.wait_ready()
                break
            except StartFailed as ended:
                if ended.code in (None, MISCONFIGURED) or attempt == START_ATTEMPTS - 1:
                    raise
                log.warning("component_failed_to_start", component=component.name, how=describe_exit(ended.code), again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s *= 2
        self._say(f"{component.name:<10} {component.where} (pid {child.pid}, {time.monotonic() - began:.1f} s)")
        self._keepers.add(asyncio.create_task(self._keep_running(component)))

    def _spawn(self, component: Component) -> ComponentProcess:
        try:
            output = self._logs.output(component.log) if self._logs else None
            forked = self._forks.fork(component, output) if self._forks and output is not None else None
            child = ComponentProcess(component, output, forked)
        except OSError as error:
            raise ConfigurationError(f"cannot run {component.command[0]}: {error.strerror}") from error
        self._children[component.name] = child
        self._died[component.name] = asyncio.Event()
        self._detect_dead()  # it may have died before there was an event to set
        self._save_state()
        return child

    def _detect_dead(self) -> None:
        for name, child in self._children.items():
            if child.code is not None:
                self._died[name].set()

    async def _keep_running(self, component: Component) -> None:
        """Start the part again whenever it dies. Cancelled when the stack stops."""
        name, pause_s = component.name, PAUSE_FIRST_S
        while True:
            await self._died[name].wait()
            child = self._children[name]
            child.signal(signal.SIGKILL)  # its own children must not run beside its successor
            if time.monotonic() - child.started_s >= STEADY_S:
                pause_s = PAUSE_FIRST_S
            log.warning("component_died", component=name, pid=child.pid, how=describe_exit(child.code or 0), again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
            self._restarts[name] = self._restarts.get(name, 0) + 1
            try:
                await self._restart(component)
            except ConfigurationError as error:  # a full disk, no processes left: it may pass, so keep trying
                log.warning("component_not_restarted", component=name, detail=error.detail)

    async def _restart(self, component: Component) -> None:
        child = self._spawn(component)
        try:
            await child.wait_ready()
        except StartFailed as ended:
            if ended.code is None:
                log.warning("component_does_not_answer", component=component.name, pid=child.pid, seconds=component.ready_s)
                await child.stop()
            return  # its death is seen by the keeper
        log.info("component_restarted", component=component.name, pid=child.pid, restarts=self._restarts[component.name])

    async def _keep_helpers(self, logs: LogPipes) -> None:
        """Start the writer of the logs and the fork server again whenever they die, until everything has stopped."""
        while True:
            await asyncio.sleep(HELPERS_LOOK_S)
            fork_server.reap_orphans({child.pid for child in self._children.values()} | {logs.pid, self._forks.pid if self._forks else 0})
            if self._forks and not self._forks.is_alive:
                self._forks.stop()
                self._forks = fork_server.start(self._plan.service_environ)
                log.warning("fork_server_restarted", pid=self._forks.pid if self._forks else 0)
            elif self._forks:
                await self._forks.wait_ready(0)
            try:
                if logs.ensure_writer():
                    log.warning("log_writer_restarted", pid=logs.pid)
            except ConfigurationError as error:  # no processes left: it may pass, and the parts wait at full pipes
                log.warning("log_writer_not_restarted", detail=error.detail)

    async def _wait_for_stop(self) -> None:
        asked = asyncio.create_task(self._stop.wait())
        while not asked.done():
            done, _ = await asyncio.wait((asked, *self._keepers), return_when=asyncio.FIRST_COMPLETED)
            for task in done - {asked}:
                task.result()  # a keeper ends only by an unexpected error: stop rather than run unwatched

    def _save_state(self) -> None:
        plan = self._plan
        components = {
            name: ProcessRecord(
                pid=child.pid, born=start_ticks(child.pid), where=child.component.where, restarts=self._restarts.get(name, 0)
            )
            for name, child in self._children.items()
        }
        state = StackState(
            url=plan.url,
            kafka=plan.settings.kafka.servers,
            redis=plan.settings.redis.url,
            supervisor=this_process(),
            ready=self._ready,
            components=components,
        )
        try:
            write_state(plan.home, state)
        except OSError as error:  # a full disk must not stop a part from being started again
            log.warning("state_not_written", path=str(state_path(plan.home)), detail=error.strerror)

    async def _stop_all(self) -> None:
        """Stop services first, so that they can still commit and answer; then the servers. Bounded by their ``stop_s``."""
        began = time.monotonic()
        services = {component.name for component in self._plan.services}
        await self._stop_some([child for name, child in self._children.items() if name in services])
        await self._stop_some([child for name, child in self._children.items() if name not in services])
        state_path(self._plan.home).unlink(missing_ok=True)
        self._say(f"stopped after {time.monotonic() - began:.1f} s")

    async def _stop_some(self, children: Sequence[ComponentProcess]) -> None:
        for child, graceful in zip(children, await asyncio.gather(*(child.stop() for child in children)), strict=True):
            if not graceful:
                log.warning("component_killed", component=child.component.name, pid=child.pid, after_s=child.component.stop_s)


async def _repeat_until_taken(step: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a step that needs the broker; one that has just started may still be settling."""
    began, pause_s = time.monotonic(), PAUSE_FIRST_S
    while True:
        try:
            return await step()
        except Unavailable:
            if time.monotonic() - began > SETTLE_S:
                raise
        await asyncio.sleep(pause_s)
        pause_s *= 2


async def _run_all(*parts: Coroutine[Any, Any, None]) -> None:
    """Run side by side; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except* (StartFailed, ClawError) as failures:
        raise failures.exceptions[0] from None
