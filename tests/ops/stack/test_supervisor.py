"""The supervisor with real Kafka and Redis; lanes and API are tiny stand-ins (tests/support/stack_standin.py)."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from ops.stack.embedded import locate
from ops.stack.redis import answers
from ops.stack.state import ProcessRecord, StackState, is_alive, read_state

pytestmark = pytest.mark.stack
PARTS = {"kafka", "redis", "knowledge", "chat", "documents", "tables", "api"}
READY_S, STOP_S = 60, 10


class Stack:
    """`claw up` with stand-ins in a process of its own."""

    def __init__(self, home: Path, **environ: str) -> None:
        self.home = home
        base = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
        ports = {"CLAW_PORT": "0", "CLAW_KAFKA_PORT": "0", "CLAW_REDIS_PORT": "0"}
        self.environ = base | ports | {"CLAW_HOME": str(home), "CLAW_SHUTDOWN_GRACE_S": "1", "CLAW_LOG_FORMAT": "json"} | environ
        self.errors = home.with_name(home.name + ".stderr")
        self.output = home.with_name(home.name + ".stdout")
        self.process: subprocess.Popen[bytes]
        self.redis: ProcessRecord | None = None

    def start(self) -> "Stack":
        with self.output.open("w") as output, self.errors.open("a") as errors:
            command = [sys.executable, "-m", "tests.support.stack_standin", "up"]
            self.process = subprocess.Popen(command, env=self.environ, stdout=output, stderr=errors)
        wait_for(lambda: "ready " in self.output.read_text() or self.process.poll() is not None, READY_S)
        assert "ready " in self.output.read_text(), self.errors.read_text()
        self.redis = self.state().components["redis"]
        return self

    def claw(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.support.stack_standin", *arguments]
        return subprocess.run(command, check=False, env=self.environ | environ, capture_output=True, text=True, timeout=30)

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines()

    def state(self) -> StackState:
        state = read_state(self.home)
        assert state is not None
        return state

    def processes(self) -> set[int]:
        """Every living process that was told this home, however it came to be; Redis overwrites what it was told, so it is remembered."""
        found = {self.redis.pid} if self.redis and is_alive(self.redis) else set()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"CLAW_HOME={self.home}\0".encode() in environ.read_bytes():
                    found.add(int(environ.parent.name))
            except OSError:
                continue
        return found

    def end(self) -> None:
        """However a test ended, nothing of it may stay."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_S)
        assert not self.processes()


def wait_for(condition, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A stack shared by the tests that leave it running."""
    stack = Stack(tmp_path_factory.mktemp("stack") / "home").start()
    yield stack
    stack.end()


@pytest.fixture
def other(tmp_path):
    """A stack of the test's own, not started yet; its parts do not listen to SIGTERM."""
    stack = Stack(tmp_path / "home", CLAW_TEST_STUBBORN="1")
    yield stack
    stack.end()


def test_a_start_prints_one_line_per_part_and_then_ready(running: Stack):
    *parts, ready = running.lines()
    assert sorted(line.split()[0] for line in parts) == sorted([*PARTS, "topics", "key", "admin", "pages"])
    assert parts[-2].endswith(" admin create EMAIL")
    assert parts[-1] == f"pages      {ready.removeprefix('ready ')}/ in a browser"
    assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+", ready)
    assert {line.split()[0] for line in parts[:2]} == {"kafka", "redis"}
    assert parts[2].split()[0] == "topics"


def test_a_lane_that_dies_is_started_again(running: Stack):
    before = running.state().components["chat"]
    os.kill(before.pid, signal.SIGKILL)
    wait_for(lambda: running.state().components["chat"].restarts == before.restarts + 1, 10)
    wait_for(lambda: '"event":"component_restarted"' in running.errors.read_text(), 10)
    assert '"component":"chat","pid":' + str(before.pid) + ',"how":"SIGKILL","again_in_s":' in running.errors.read_text()
    assert is_alive(running.state().components["chat"])


def test_a_part_comes_back_when_what_stood_in_its_way_is_gone(running: Stack):
    """Without its folder for logs a part cannot be started; neither can the state be written. Both recover."""
    before, logs, away = running.state().components["documents"], running.home / "logs", running.home / "elsewhere"
    logs.rename(away)
    logs.touch()
    os.kill(before.pid, signal.SIGKILL)
    wait_for(lambda: '"event":"component_not_restarted"' in running.errors.read_text(), 10)
    logs.unlink()
    away.rename(logs)
    wait_for(lambda: is_alive(running.state().components["documents"]), 10)
    assert running.state().components["documents"].pid != before.pid


def test_a_redis_that_dies_is_started_again_with_its_data(running: Stack):
    before = running.state().components["redis"]
    settings = locate(running.home).redis
    client = redis.Redis.from_url(settings.url, username=settings.username, password=settings.password.reveal())
    client.set("kept", "yes")
    os.kill(before.pid, signal.SIGKILL)
    wait_for(lambda: running.state().components["redis"].restarts == before.restarts + 1, 10)
    wait_for(lambda: asyncio.run(answers(before.where)), 10)
    assert client.get("kept") == b"yes"
    client.close()


def test_the_same_home_is_not_started_twice(running: Stack):
    done = running.claw("up")
    assert done.returncode == 2
    assert done.stderr.startswith(f"claw: a stack already runs in {running.home} (pid {running.process.pid}, http://")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("variable", ["CLAW_PORT", "CLAW_KAFKA_PORT", "CLAW_REDIS_PORT"])
def test_a_taken_port_is_named_and_nothing_is_started(variable: str, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        other = Stack(tmp_path / "home", **{variable: str(taken)})
        done = other.claw("up")
    assert done.returncode == 2
    assert done.stderr.startswith(f"claw: {variable}: port {taken} on 127.0.0.1 is taken by ")
    assert f"(pid {os.getpid()})" in done.stderr
    assert not other.processes()
    assert not (tmp_path / "home" / "kafka").exists()


@pytest.mark.parametrize("secret", ["", "short"])
def test_an_empty_or_short_secret_is_refused(secret: str, tmp_path: Path):
    other = Stack(tmp_path / "home", CLAW_AUTH_SECRET=secret)
    done = other.claw("up")
    assert done.returncode == 2
    assert done.stderr.startswith(f"claw: CLAW_AUTH_SECRET: {len(secret)} bytes are too short")
    assert not other.processes()


def test_the_secret_is_generated_once_and_kept_private(running: Stack):
    path = running.home / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().strip()) >= 32
    environ = Path(f"/proc/{running.state().components['api'].pid}/environ").read_bytes()
    assert b"CLAW_AUTH_SECRET=" + path.read_text().strip().encode() in environ


def test_the_doctor_sees_a_running_stack(running: Stack):
    wait_for(lambda: running.claw("doctor").returncode == 0, 15)  # another test may just have killed a part
    report = running.claw("doctor").stdout
    assert all(re.search(rf"^ok +{part} ", report, re.MULTILINE) for part in [*PARTS, "topics", "stack"])
    assert running.claw("topics", "check").returncode == 0


def test_beside_another_killed_started_again_and_put_down(running: Stack, other: Stack):
    """A second stack beside the first; ``kill -9`` of its supervisor leaves nothing; its home starts again; `down` beats stubborn parts."""
    other.start()
    assert is_alive(running.state().supervisor)
    assert len(other.processes()) == 1 + len(PARTS) + 1  # the supervisor, and the writer of the logs
    secret = (other.home / "secret").read_text()

    other.process.kill()
    other.process.wait()
    wait_for(lambda: not other.processes(), 5)

    other.start()
    assert any(re.match(r"topics +\d+, 0 made or changed", line) for line in other.lines())
    assert (other.home / "secret").read_text() == secret

    began = time.monotonic()
    done = other.claw("down")
    assert (done.returncode, time.monotonic() - began < STOP_S) == (0, True)
    assert '"event":"component_killed"' in other.errors.read_text()
    assert other.process.wait(1) == 0
    assert not other.processes()
    assert other.claw("down").stdout == f"no stack runs in {other.home}\n"
