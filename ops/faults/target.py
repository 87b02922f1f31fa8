"""The stack that is broken and healed, and its stub provider: processes of the run's own, at addresses that stay the same."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from ops.faults.history import ProviderCall
from ops.stack.embedded import locate
from ops.stack.launch import PROJECT, launch
from ops.stack.ports import free_port
from ops.stack.probe import http_status
from ops.stack.state import ProcessRecord, is_alive, read_state
from schemas.errors import ConfigurationError
from schemas.settings import WORKER_GROUPS, Settings

MODEL = "stub?first_ms=50&token_ms=40&holds=code-&numbered=1&retry_after=1"
STUB = "benchmarks.stub_provider"
COMMAND_S_MAX = 120.0
OK = 200
POLL_S = 0.05

SETTINGS = {
    "CLAW_MODEL_PROVIDER": "openai",
    "CLAW_MODEL_API_KEY": "stub",
    "CLAW_MODEL_NAME": MODEL,
    "CLAW_MODEL_IDLE_TIMEOUT_S": "3",
    "CLAW_MODEL_BREAKER_PAUSE_S": "2",
    "CLAW_CACHE_ANSWERS": "off",  # every question reaches the provider, which counts them
    "CLAW_LIMIT_ENABLED": "false",
    "CLAW_CAP_FREE_STREAMS_MAX": "0",
    "CLAW_CAP_PRO_STREAMS_MAX": "0",
    "CLAW_CAP_TENANT_STREAMS_MAX": "0",
    "CLAW_AUTH_ACCESS_TOKEN_TTL_S": "86400",
}
"""A provider that can be told to fail, and no limit on what a handful of accounts may do; everything else as it is installed."""


class FaultProvider:
    """The stub provider, told what to do and asked what it did."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._root = url.removesuffix("/v1")

    async def behave(self, fault: str = "") -> None:
        """Fail in this way from now on; "" answers again."""
        async with aiohttp.ClientSession() as session, session.put(f"{self._root}/behaviour?{urlencode({'fault': fault})}") as answer:
            answer.raise_for_status()

    async def calls(self) -> list[ProviderCall]:
        """Every streamed call so far; one in progress ends at its begin."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._root}/calls") as answer:
            found = await answer.json()
        return [
            ProviderCall(
                at=call["at"],
                end=max(call["at"], call["end"]),
                number=call["number"],
                trace=call["trace"],
                fault=call["fault"],
                left=call["left"],
            )
            for call in found
        ]


@asynccontextmanager
async def launch_provider() -> AsyncIterator[FaultProvider]:
    """The stub provider on a free port. Raises ConfigurationError where the source tree is not there: it is part of the benchmarks."""
    if not (PROJECT / "benchmarks" / "stub_provider.py").is_file():
        raise ConfigurationError("claw faults needs the source tree: its model provider is benchmarks/stub_provider.py")
    async with launch([sys.executable, "-m", STUB, "--port", "0"], "listening ", os.environ) as provider:
        yield FaultProvider(provider.url)


class TargetStack:
    """``claw up`` in ``home``. It can be killed, and started again with its data and its addresses."""

    def __init__(self, home: Path, provider_url: str, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        taken: set[int] = set()
        for _ in range(2):
            taken.add(free_port(taken))
        api_port, kafka_port = sorted(taken)
        own = {"CLAW_HOME": str(home), "CLAW_PORT": str(api_port), "CLAW_KAFKA_PORT": str(kafka_port), "CLAW_REDIS_PORT": "0"}
        outer = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
        self.environ = outer | SETTINGS | {"CLAW_MODEL_BASE_URL": provider_url} | dict(settings or {}) | own
        self.url = f"http://127.0.0.1:{api_port}"
        self._running = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it says that it is ready. Raises ConfigurationError when it ends before."""
        try:
            running = await self._running.enter_async_context(launch([sys.executable, "-m", "ops.cli", "up"], "ready ", self.environ))
        except SystemExit as error:
            raise ConfigurationError(f"the stack did not start: {error}; see its logs") from error
        self._process = running.process

    async def stop(self) -> None:
        """Stop it, or what a kill has left."""
        await self._running.aclose()

    async def kill(self) -> None:
        """SIGKILL of the supervisor, which takes every part with it."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._running.aclose()

    def process(self, part: str) -> ProcessRecord | None:
        """The process of a part, ``up`` is the supervisor; None while there is none."""
        state = read_state(self.home)
        if state is None:
            return None
        return state.supervisor if part == "up" else state.components.get(part)

    def signal(self, process: ProcessRecord | None, number: signal.Signals) -> bool:
        """Signal this very process; False when it has ended."""
        if process is None or not is_alive(process):
            return False
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return False
        return True

    async def answers(self, part: str) -> bool:
        """Whether the part is ready by its own account."""
        process = self.process(part)
        if process is None or not is_alive(process):
            return False
        if part in (*WORKER_GROUPS, "api"):
            return await http_status(int(process.where.rpartition(":")[2]), "/readyz" if part != "api" else "/livez") == OK
        return part == "up" or await _accepts(process.where)

    async def successor(self, part: str, before: ProcessRecord | None, timeout_s: float) -> None:
        """Wait until another process of the part answers. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not (self._is_another(part, before) and await self.answers(part)):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(POLL_S)

    def _is_another(self, part: str, before: ProcessRecord | None) -> bool:
        now = self.process(part)
        return now is not None and (before is None or now.pid != before.pid)

    @property
    def settings(self) -> Settings:
        """Settings with which its servers are reached."""
        return locate(self.home)

    @property
    def key(self) -> str:
        """The API key that ``claw up`` wrote."""
        return (self.home / "key").read_text(encoding="utf-8").strip()

    async def command(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        """``claw ...`` beside it, ``typed`` as its standard input: exit code and what it printed."""
        process = await self._spawn(*arguments)
        try:
            async with asyncio.timeout(COMMAND_S_MAX):
                printed, _ = await process.communicate(typed.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            return -1, f"claw {' '.join(arguments)} did not end within {COMMAND_S_MAX:g} s"
        return process.returncode or 0, printed.decode(errors="replace")

    @asynccontextmanager
    async def second_worker(self, group: str) -> AsyncIterator[None]:
        """Another worker of a group, until the block ends."""
        process = await self._spawn("worker", "--lane", group, CLAW_METRICS_PORT="0")
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _spawn(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        is_command = arguments[0] != "worker"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.cli", *arguments),
            cwd=PROJECT,
            env=self.environ | environ,
            stdin=asyncio.subprocess.PIPE if is_command else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if is_command else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT if is_command else asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )


async def _accepts(where: str) -> bool:
    """Whether a server takes connections at this host:port or socket."""
    try:
        if where.startswith("/"):
            _, writer = await asyncio.open_unix_connection(where)
        else:
            host, _, port = where.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True
