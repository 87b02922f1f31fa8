"""Pipes, parts and the writer as processes: nothing is lost in a rotation, nor when a supervisor or the writer is killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ops.stack.child import ComponentProcess
from ops.stack.launch import PROJECT
from ops.stack.log_pipes import LogPipes
from ops.stack.state import ProcessRecord, is_alive, start_ticks
from tests.support.printing_parts import component

LINES = 20_000
PRINTER = f"for n in range({LINES}): print('line %06d of many' % n, flush=n % 7 == 0)"


def lines(log: Path) -> list[str]:
    older = sorted(log.parent.glob(f"{log.name}.*"), key=lambda each: -int(each.suffix[1:]))
    return [line for each in (*older, log) for line in each.read_text().splitlines()]


def wait_for(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


async def test_no_line_is_lost_between_files(tmp_path: Path):
    """Of several parts, each of which fills many files while it prints."""
    logs = [tmp_path / "logs" / f"part{number}.log" for number in range(3)]
    pipes = LogPipes(logs, {}, bytes_max=65_536, older_max=100)
    parts = [ComponentProcess(component(log, PRINTER), pipes.output(log)) for log in logs]
    for part in parts:
        assert await asyncio.to_thread(part.wait) == 0
    await pipes.close()
    for log in logs:
        assert lines(log) == [f"line {n:06} of many" for n in range(LINES)]
        assert max(each.stat().st_size for each in log.parent.iterdir()) <= 65_536


async def test_a_writer_that_dies_is_replaced_and_no_part_notices(tmp_path: Path):
    log = tmp_path / "part.log"
    pipes = LogPipes([log], {}, bytes_max=10_000_000, older_max=1)
    os.kill(pipes.pid, signal.SIGKILL)
    part = ComponentProcess(component(log, PRINTER.replace(str(LINES), "2000")), pipes.output(log))
    wait_for(pipes.ensure_writer)
    assert await asyncio.to_thread(part.wait) == 0
    await pipes.close()
    assert lines(log) == [f"line {n:06} of many" for n in range(2000)]


def test_what_a_part_printed_is_written_when_its_supervisor_is_killed(tmp_path: Path):
    """The writer outlives it until everything is written, and then ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.printing_parts", str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    writer, part = map(int, process.stdout.readline().split())
    born = {pid: start_ticks(pid) for pid in (writer, part)}
    side, log = tmp_path / "side", tmp_path / "logs" / "part.log"
    wait_for(lambda: side.exists() and int(side.read_text() or 0) > 20_000)
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not any(is_alive(ProcessRecord(pid=pid, born=born[pid])) for pid in (writer, part)))
    found = lines(log)
    assert found == [f"{n:06}" for n in range(len(found))]
    assert len(found) > int(side.read_text())
