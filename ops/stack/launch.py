"""A stack seen from outside: ``claw up`` as a process of its own.

The demo, the evaluation, the benchmarks and the system tests use it with claw_client, so that they see what any client sees.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
START_S_MAX = 240.0  # a first start resolves Kafka's jars and formats the log
STOP_S_MAX = 15.0


@dataclass(frozen=True, slots=True)
class ReadyProcess:
    """A process that has printed its ready line; ``url`` is the rest of that line."""

    process: asyncio.subprocess.Process
    url: str


@asynccontextmanager
async def launch(
    command: list[str], word: str, environment: Mapping[str, str], *, show: bool = False, project: Path = PROJECT
) -> AsyncIterator[ReadyProcess]:
    """Run a command in the folder ``project`` until the block ends; enters when it prints a line that begins with ``word``. SystemExit
    when it ends before.
    """
    quiet = None if show else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(environment), cwd=project, stdout=asyncio.subprocess.PIPE, stderr=quiet, start_new_session=True
    )
    reading: asyncio.Task[str] | None = None
    try:
        async with asyncio.timeout(START_S_MAX):
            url = await _read_until(process, word, show=show)
        reading = asyncio.create_task(_read_until(process, "", show=show))
        yield ReadyProcess(process, url)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_S_MAX):
                await process.wait()
        if reading is not None:
            await reading


async def _read_until(process: asyncio.subprocess.Process, word: str, *, show: bool) -> str:
    """Up to the line that begins with ``word``, or all of it."""
    assert process.stdout is not None
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        if show:
            print(f"  {line}", flush=True)
        if word and line.startswith(word):
            return line.removeprefix(word).strip()
    if word:
        raise SystemExit(f"claw: the process ended with status {await process.wait()} before it was ready")
    return ""


@asynccontextmanager
async def stack(home: Path, settings: Mapping[str, str], *, show: bool = False, project: Path = PROJECT) -> AsyncIterator[ReadyProcess]:
    """``claw up`` in ``home`` on free ports; ``settings`` are CLAW_* variables. ``url`` is that of the API. Another ``project`` is another
    checkout of this repository, with an environment of its own.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
    environment |= {"CLAW_HOME": str(home), "CLAW_PORT": "0", "CLAW_KAFKA_PORT": "0", "CLAW_REDIS_PORT": "0"} | dict(settings)
    python = sys.executable if project == PROJECT else str(project / ".venv" / "bin" / "python")
    async with launch([python, "-m", "ops.cli", "up"], "ready ", environment, show=show, project=project) as up:
        yield up
