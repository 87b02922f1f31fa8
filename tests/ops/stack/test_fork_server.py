"""Forked parts in a supervisor of their own process: whose they are, what they are told, and who outlives whom."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.stack.fork_server import REQUEST_BYTES_MAX, ForkServerProcess
from ops.stack.launch import PROJECT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
WAITS = "worker --lane chat"  # it waits for a broker that is not there


class SupervisorProcess:
    """tests/support/fork_supervisor.py, running."""

    def __init__(self, home: Path) -> None:
        self.errors = home / "errors"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
        environ |= {"CLAW_HOME": str(home), "CLAW_KAFKA_BOOTSTRAP": "127.0.0.1:9", "CLAW_REDIS_URL": "redis://127.0.0.1:9"}
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_supervisor"],
                env=environ,
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, line: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.errors.read_text()
        return json.loads(answer)

    def printed(self) -> str:
        return self.errors.read_text()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[SupervisorProcess]:
    made = SupervisorProcess(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process; empty when there is none, or a dead one."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    said = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {} if said["State"].startswith("Z") else said


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_a_part_is_told_its_arguments_and_environment_and_its_exit_code_is_seen(supervisor: SupervisorProcess):
    part = supervisor.ask("fork CLAW_PORT many inbox schema")
    assert supervisor.ask(f"wait {part}") == 2
    assert "CLAW_PORT" in supervisor.printed()
    assert supervisor.ask(f"wait {supervisor.ask('fork CLAW_PORT 0 inbox schema')}") == 0
    assert '"CloudEvent"' in supervisor.printed() or '"$schema"' in supervisor.printed()


def test_a_part_is_the_supervisors_child_in_a_session_of_its_own(supervisor: SupervisorProcess):
    part = supervisor.ask(f"fork CLAW_PORT 0 {WAITS}")
    assert int(status(part)["PPid"]) == supervisor.process.pid
    assert os.getsid(part) == part
    wait_for(lambda: command(part) == f"claw {WAITS}")
    supervisor.ask(f"kill {part}")
    assert supervisor.ask(f"wait {part}") == -signal.SIGKILL


def test_parts_outlive_the_server_and_another_takes_its_place(supervisor: SupervisorProcess):
    part = supervisor.ask(f"fork CLAW_PORT 0 {WAITS}")
    server, alive = supervisor.ask("server")
    assert alive
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: not supervisor.ask("server")[1])
    assert supervisor.ask("fork CLAW_PORT 0 inbox schema") is None
    assert status(part)
    supervisor.ask("again")
    assert supervisor.ask(f"wait {supervisor.ask('fork CLAW_PORT 0 inbox schema')}") == 0
    assert status(part)


def test_parts_and_the_server_end_with_the_supervisor(supervisor: SupervisorProcess):
    part, (server, _) = supervisor.ask(f"fork CLAW_PORT 0 {WAITS}"), supervisor.ask("server")
    wait_for(lambda: command(part) == f"claw {WAITS}")
    supervisor.process.kill()
    supervisor.process.wait()
    wait_for(lambda: not status(part) and not status(server))


def test_a_stopped_server_is_given_up(supervisor: SupervisorProcess):
    server, _ = supervisor.ask("server")
    os.kill(server, signal.SIGSTOP)
    assert supervisor.ask("fork CLAW_PORT 0 inbox schema") is None
    assert not status(server)


def test_an_environment_that_is_too_large_is_left_to_be_executed(supervisor: SupervisorProcess):
    assert supervisor.ask(f"fork CLAW_X {'x' * REQUEST_BYTES_MAX} inbox schema") is None
    assert supervisor.ask("server")[1]


def test_what_was_only_inherited_is_reaped(supervisor: SupervisorProcess):
    assert supervisor.ask("orphan")


async def test_who_looks_whether_it_is_ready_keeps_nobody_waiting() -> None:
    """The supervisor looks every second while the start of the stack waits."""
    server = ForkServerProcess(os.environ, ())
    try:
        start = asyncio.create_task(server.wait_ready())
        async with asyncio.timeout(20):
            while not server.ready:
                await server.wait_ready(0)
                await asyncio.sleep(0.01)
        assert await asyncio.wait_for(start, 2)
    finally:
        server.stop()
