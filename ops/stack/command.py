"""`claw up` and `claw down`."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ops.stack.child import StartFailed
from ops.stack.credentials import OTHERS
from ops.stack.plan import plan
from ops.stack.state import end_leftovers, hold, is_alive, is_running, read_state
from ops.stack.supervisor import Supervisor
from schemas.settings import Settings

STOP_S = 20.0  # twice what a stack with default settings takes at most
LOOK_EVERY_S = 0.05


def up(settings: Settings, environ: Mapping[str, str]) -> int:
    """Run a stack until SIGINT or SIGTERM; returns the exit code. Raises ConfigurationError with nothing started."""
    home = settings.node.home.absolute()
    os.umask(OTHERS)  # of this process and every part: what they write in the home folder is nobody else's
    with hold(home):
        end_leftovers(home)
        supervisor = Supervisor(plan(settings, environ), print_line)
        try:
            asyncio.run(supervisor.run())
        except StartFailed as ended:
            print(f"claw: {ended}\n{ended.tail()}", file=sys.stderr)
            return 1
    return 0


def down(home: Path) -> int:
    """Stop the stack of ``home``, started anywhere; returns the exit code."""
    if not is_running(home):
        ended = end_leftovers(home)
        print(f"no stack runs in {home}" + (f"; ended what was left: {', '.join(ended)}" if ended else ""))
        return 0
    state = read_state(home)
    if state is None or not is_alive(state.supervisor):
        print(f"claw: a stack in {home} is just starting or stopping: try again", file=sys.stderr)
        return 1
    os.kill(state.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while is_running(home):
        if time.monotonic() > deadline:
            os.kill(state.supervisor.pid, signal.SIGKILL)
            end_leftovers(home)
            print(f"claw: the stack in {home} did not stop within {STOP_S:g} s and was killed", file=sys.stderr)
            return 1
        time.sleep(LOOK_EVERY_S)
    print(f"stopped the stack in {home}")
    return 0


def print_line(line: str) -> None:
    """Print a line; a closed standard output does not stop the stack."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
