"""A child process from its parent's side: started confined, watched while it works, ended without leftovers."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from adapters.children import measures, memory
from adapters.children.folders import WorkFolder
from adapters.children.protocol import (
    FRAME_BYTES_MAX,
    HEADER,
    REPLY_BYTES_MAX,
    ChildMessage,
    ChildOptions,
    ChunkFrame,
    CrashReport,
    FileTask,
    OcrStarted,
    Task,
    TaskAnswer,
    encode_frame,
    message_decoder,
)
from adapters.children.server_process import ServerDied, ServerProcess
from schemas.documents import Chunk
from schemas.errors import ConfigurationError, Refused, Unavailable

START_TIMEOUT_S = 60.0  # to load its modules on a busy machine
FORK_TIMEOUT_S = 20.0  # takes milliseconds
STOP_TIMEOUT_S = 2.0  # from end of input to exit; then the process is killed
COPY_NAME = "document"  # the name of the copy, whatever the sender's name was
PROCESSES_MAX = 32  # of a child with the programs that it started; parsing takes one at a time
WATCH_S = 0.05  # between two measurements of a working child's memory and processes
OUT_OF_MEMORY = (
    signal.SIGABRT,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGTRAP,
    signal.SIGILL,
)  # the signals with which native code ends when an allocation fails
NEAR_SHARE = 0.5  # of the memory limit at the last measurement: from there on such an end counts as out of memory
INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "PYTHONPATH", "PYTHONHOME")
OFFLINE_VARIABLES = {"DO_NOT_TRACK": "true", "SCARF_NO_ANALYTICS": "true"}  # a library that reports its use must not try
SINGLE_THREAD_VARIABLES = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Cause = Literal["crash", "memory", "cpu", "wall", "output", "processes"]
Confinement = Literal["auto", "require", "off"]


class ChildDied(Exception):
    """The child ended or was killed before it replied. ``cause`` is the limit it reached, or a crash; ``reason`` is for people.

    ``tasks``: how many it had got, this one included.
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause, self.reason = cause, reason
        self.seconds, self.peak_kib, self.tasks = 0.0, 0, 0

    def with_usage(self, seconds: float, peak_kib: int, tasks: int) -> "ChildDied":
        """The same with the resources used until then."""
        self.seconds, self.peak_kib, self.tasks = seconds, peak_kib, tasks
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """Limits of one task."""

    wall_s: float
    ocr_wall_s: float  # after the child reported that scanned pages are being read
    memory_kib: int  # resident memory of the child and its own children
    ocr_memory_kib: int = 0  # the same while scanned pages are read, when it is more


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How a child is started: ``python -m module`` with these options. ``measured``: the exact peak memory of each task is recorded."""

    module: str
    niceness: int
    batch: bool = False
    idle: bool = False
    memory_mib: int
    cpu_s: int
    ocr_cpu_s: int
    ocr_memory_mib: int = 0
    embedding: str = ""  # the local one that it loads at once
    tables: str = ""  # the folder of static tables, which it may read
    measured: bool = False
    programs: bool = False  # it may start Pandoc and Tesseract
    confinement: Confinement = "auto"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """An answer, its chunks, and the resources it took."""

    answer: TaskAnswer
    chunks: list[Chunk]
    seconds: float
    peak_kib: int


class ChildProcess:
    """A fork server, its present child and their folder. Made by ``spawn``. A child serves one tenant; another gets another child."""

    def __init__(self, server: ServerProcess, folder: WorkFolder, spec: ChildSpec) -> None:
        self.server, self.process, self._folder, self._spec = server, server.process, folder, spec
        self.tenant: str | None = None  # whose documents the present child has seen
        self.tasks = 0
        self.measures: tuple[str, ...] = ()  # of confinement, in force
        self.new_kib = 0  # what it held when it was ready
        self.replacing = False  # its successor is starting
        self.replaced = False  # its successor is ready
        self.retirement: asyncio.TimerHandle | None = None
        self._recognising = False
        self._peak_kib = 0

    @classmethod
    async def spawn(cls, spec: ChildSpec) -> "ChildProcess":
        """Start a child; returns when it is ready. Raises ChildDied when it does not start.

        ConfigurationError: the settings require measures of confinement that are not in force.
        """
        folder = WorkFolder()
        options = ChildOptions(
            parent=os.getpid(),
            folder=str(folder.path),
            niceness=spec.niceness,
            batch=spec.batch,
            idle=spec.idle,
            memory_mib=spec.memory_mib,
            cpu_s=spec.cpu_s,
            ocr_cpu_s=spec.ocr_cpu_s,
            ocr_memory_mib=spec.ocr_memory_mib,
            embedding=spec.embedding,
            tables=spec.tables,
            programs=spec.programs,
            confinement=spec.confinement,
        )
        arguments = (sys.executable, "-P", "-B", "-m", spec.module, msgspec.json.encode(options).decode())
        try:
            server = await ServerProcess.start(arguments, folder=str(folder.path), environment=_environment(folder.path))
        except BaseException:
            folder.remove()
            raise
        child = cls(server, folder, spec)
        try:
            ready = await asyncio.wait_for(server.wait_ready(), START_TIMEOUT_S)
        except (TimeoutError, ServerDied, msgspec.DecodeError) as error:
            await child.end(at_once=True)
            raise ChildDied("crash", "the child did not start") from error
        except BaseException:
            await child.end(at_once=True)
            raise
        child.measures = ready.measures
        lacking = measures.missing(ready.measures)
        if lacking and spec.confinement == "require":
            await child.end(at_once=True)
            raise ConfigurationError(
                f"{measures.SETTING} is `require`, and this machine does not offer {', '.join(lacking)} to a parser: "
                f"{measures.describe_risks(lacking)}. Change that, or set {measures.SETTING}=auto"
            )
        child.new_kib = child.resident_kib
        return child

    @property
    def is_ended(self) -> bool:
        """Whether the server has ended."""
        return self.process.returncode is not None

    @property
    def resident_kib(self) -> int:
        """Its resident memory now, without its children."""
        return memory.measure_tree(self.server.child or self.process.pid, processes_max=1).resident_kib

    async def perform(self, task: Task, limits: TaskLimits, tenant: str = "") -> TaskResult:
        """The answer to one task. Raises ChildDied, after which the process must be ended.

        Refused("file_missing") and Unavailable("overloaded"): the document's file cannot be had; the child never heard of the task.
        """
        await self._prepare(tenant)
        message = encode_frame(await self._copy_source(task))
        loop = asyncio.get_running_loop()
        self.tasks += 1
        self._recognising, self._peak_kib = False, 0
        if self._spec.measured:
            memory.reset_peak(self.server.child)
        began = loop.time()
        exchange = asyncio.ensure_future(self._exchange(message))
        try:
            await self._watch(exchange, began, limits)
            answer, chunks = await exchange
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
            raise (await self._explain_exit(limits)).with_usage(loop.time() - began, self._peak_kib, self.tasks) from error
        except ChildDied as died:
            peak_kib = max(self._peak_kib, memory.peak_kib(self.server.child))
            raise died.with_usage(loop.time() - began, peak_kib, self.tasks) from None
        finally:
            if not exchange.done():
                exchange.cancel()
                await asyncio.wait((exchange,))
        seconds = loop.time() - began
        peak_kib = max(self._peak_kib, memory.peak_kib(self.server.child)) if self._spec.measured else self._peak_kib
        return TaskResult(answer, chunks, seconds, peak_kib)

    async def _prepare(self, tenant: str) -> None:
        """Have a child that has served nobody else, and has all modules that are loaded by now. Raises ChildDied."""
        self.server.take_news()
        if tenant == self.tenant and self.server.child and not self.server.outdated:
            return
        try:
            await asyncio.wait_for(self.server.fork(), FORK_TIMEOUT_S)
        except (ServerDied, TimeoutError, msgspec.DecodeError) as error:
            raise ChildDied("crash", "the child did not start") from error
        self.tenant = tenant

    async def _copy_source(self, task: Task) -> Task:
        """The task with a copy of the document's file where the child can read it; the child empties that folder afterwards."""
        if not isinstance(task, FileTask) or not task.source.path:
            return task
        copy = self._folder.path / COPY_NAME
        try:
            await asyncio.to_thread(shutil.copyfile, task.source.path, copy)
        except FileNotFoundError as error:
            raise Refused("file_missing", "the file is gone") from error
        except OSError as error:
            raise Unavailable("overloaded", f"the file cannot be copied for its parser: {error}") from error
        return replace(task, source=replace(task.source, path=str(copy)))

    async def _watch(self, exchange: asyncio.Future[Any], began: float, limits: TaskLimits) -> None:
        """Wait until the exchange is over. Raises ChildDied at a limit."""
        loop = asyncio.get_running_loop()
        while not exchange.done():
            wall_s = limits.ocr_wall_s if self._recognising else limits.wall_s
            left_s = began + wall_s - loop.time()
            if left_s <= 0:
                raise ChildDied("wall", f"it took longer than {wall_s:g} s")
            await asyncio.wait((exchange,), timeout=min(WATCH_S, left_s))
            if not exchange.done():
                usage = memory.measure_tree(self.server.child, processes_max=PROCESSES_MAX)
                self._peak_kib = max(self._peak_kib, usage.resident_kib)
                if usage.processes > PROCESSES_MAX:
                    raise ChildDied("processes", f"it started more than {PROCESSES_MAX} processes")
                if self._peak_kib > (limit := self._memory_limit_kib(limits)):
                    raise ChildDied("memory", f"it took more than {limit // 1024:,} MiB of memory")

    def _memory_limit_kib(self, limits: TaskLimits) -> int:
        return max(limits.memory_kib, limits.ocr_memory_kib if self._recognising else 0)

    async def end(self, *, at_once: bool) -> None:
        """End the process and its children, and remove its folder."""
        if self.retirement is not None:
            self.retirement.cancel()
        if at_once:
            self.kill()
            await self.process.wait()  # who waits for a fork sees the end of the server, and would not see its socket closed
        self.server.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.kill()
            await self.process.wait()
        self.kill()  # its children that still run
        await asyncio.to_thread(self._folder.remove)

    async def _exchange(self, message: bytes) -> tuple[TaskAnswer, list[Chunk]]:
        tasks = self.server.tasks
        if tasks is None or tasks.is_closing():
            raise ConnectionResetError
        tasks.write(message)
        await tasks.drain()
        chunks: list[Chunk] = []
        left = REPLY_BYTES_MAX
        while True:
            reply = await self._read()
            match reply:
                case ChunkFrame():
                    chunks += reply.chunks
                case OcrStarted():
                    self._recognising = True
                case CrashReport():
                    raise ChildDied("crash", reply.detail)
                case _:
                    return reply, chunks
            left -= self._frame_bytes
            if left < 0:
                raise ChildDied("output", f"more than {REPLY_BYTES_MAX:,} bytes came out of it")

    async def _read(self) -> ChildMessage:
        replies = self.server.replies
        (self._frame_bytes,) = HEADER.unpack(await replies.readexactly(HEADER.size))
        if self._frame_bytes > FRAME_BYTES_MAX:
            raise ChildDied("output", f"a frame of {self._frame_bytes:,} bytes came out of it")
        reply: ChildMessage = message_decoder.decode(await replies.readexactly(self._frame_bytes))
        return reply

    async def _explain_exit(self, limits: TaskLimits) -> ChildDied:
        """The cause of an exit that nobody asked for."""
        try:
            code = await asyncio.wait_for(self._wait_exit(), STOP_TIMEOUT_S)
        except TimeoutError:
            return ChildDied("crash", "it fell silent")
        if code >= 0:
            return ChildDied("crash", f"the process ended with exit code {code}")
        name = signal.Signals(-code).name
        if -code == signal.SIGXCPU:
            return ChildDied("cpu", f"it took more than {self._spec.cpu_s} s of CPU time")
        limit = self._memory_limit_kib(limits)
        if -code in OUT_OF_MEMORY and self._peak_kib > limit * NEAR_SHARE:
            return ChildDied("memory", f"it ended with {name} on its way beyond {limit // 1024:,} MiB of memory")
        return ChildDied("crash", f"the process ended with {name}")

    async def _wait_exit(self) -> int:
        """The exit code of the child, or of its server when that ended."""
        try:
            return await self.server.wait_exit()
        except ServerDied:
            return await self.process.wait()

    def kill(self) -> None:
        """Kill the process group: a task under way raises ChildDied."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _environment(folder: Path) -> dict[str, str]:
    """The environment of a parser of untrusted documents: no secrets, one thread."""
    given = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    return given | SINGLE_THREAD_VARIABLES | OFFLINE_VARIABLES | {"TMPDIR": str(folder), "HOME": str(folder)}
