"""From the request that changes configuration to the report of the last process that it is in force: a stack, and workers and replicas
beside it, as many processes as PROCESSES.
"""

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.figures import Figure, median, percentile
from ops.stack.launch import PROJECT, stack

PROCESSES = 8  # the stack's five, and these beside them
BESIDE = (("worker", "--lane", "chat"), ("worker", "--lane", "tables"), ("api",))
CHANGES, WARM_UP = 200, 20
KEY = "/api/v1/configs/model.temperature"
PASSWORD = "a long benchmark passphrase"
POLL_S = 0.005


async def run() -> list[Figure]:
    """A change after the other; the time includes that of the processes' reports and of asking for them."""
    async with AsyncExitStack() as opened:
        home = opened.enter_context(tempfile.TemporaryDirectory(prefix="claw-bench-"))
        up = await opened.enter_async_context(stack(Path(home), {"CLAW_LIMIT_ENABLED": "false"}))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
        environ |= {"CLAW_HOME": home, "CLAW_PORT": "0", "CLAW_METRICS_PORT": "0", "CLAW_LIMIT_ENABLED": "false"}
        for command in BESIDE:
            await opened.enter_async_context(_process(command, environ))
        session = await opened.enter_async_context(aiohttp.ClientSession(base_url=up.url))
        headers = await _log_in(session, environ)
        async with asyncio.timeout(60):
            while True:
                if len((await _read(session, headers))["processes"]) == PROCESSES:
                    break
                await asyncio.sleep(0.2)
        times_ms = [await _change(session, headers, number) for number in range(WARM_UP + CHANGES)][WARM_UP:]
    return [
        Figure("change_to_last_process_p50", round(median(times_ms), 1), "ms"),
        Figure("change_to_last_process_p99", round(percentile(times_ms, 0.99), 1), "ms", bar="<= 1000 ms at 8 processes"),
        Figure("change_to_last_process_max", round(max(times_ms), 1), "ms"),
    ]


async def _change(session: aiohttp.ClientSession, headers: Mapping[str, str], number: int) -> float:
    """Milliseconds until every process runs the change."""
    began = time.perf_counter()
    async with session.put(KEY, json={"value": (number % 20) / 10, "reason": "benchmark"}, headers=headers) as answer:
        answer.raise_for_status()
        revision = (await answer.json())["revision"]
    while True:
        shown = await _read(session, headers)
        if shown["in_force"] and shown["revision"] >= revision:
            assert len(shown["processes"]) == PROCESSES, shown
            return (time.perf_counter() - began) * 1000
        await asyncio.sleep(POLL_S)


async def _read(session: aiohttp.ClientSession, headers: Mapping[str, str]) -> dict[str, Any]:
    async with session.get(f"{KEY}/propagation", headers=headers) as answer:
        answer.raise_for_status()
        return dict(await answer.json())


async def _log_in(session: aiohttp.ClientSession, environ: Mapping[str, str]) -> dict[str, str]:
    """The headers of a new operator."""
    email = f"{uuid.uuid4().hex}@example.org"
    command = [sys.executable, "-m", "ops.cli", "admin", "create", email, "--password-stdin"]
    process = await asyncio.create_subprocess_exec(*command, env=dict(environ), cwd=PROJECT, stdin=asyncio.subprocess.PIPE)
    await process.communicate(PASSWORD.encode() + b"\n")
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        answer.raise_for_status()
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


@asynccontextmanager
async def _process(command: tuple[str, ...], environ: Mapping[str, str]) -> AsyncIterator[None]:
    """``claw ...`` until the block ends."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", *command), env=dict(environ), cwd=PROJECT, stdout=quiet, stderr=quiet
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
