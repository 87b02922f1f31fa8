"""A supervisor of forked parts, as a program: it does what is asked on its standard input, and answers each line with one of JSON.

``fork NAME VALUE ARGUMENTS``: fork ``claw ARGUMENTS`` with a variable set; answers its process id, or null. ``wait PID``: its exit code.
``kill PID``: SIGKILL. ``server``: the server's process id and whether it lives; ``again``: start another. ``orphan``: leave a dead child of
another session behind, and reap what was only inherited; answers whether it is gone. ``end``: stop.
"""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.children.memory import list_children
from ops.stack import fork_server
from ops.stack.child import Component
from ops.stack.fork_server import CLAW, ForkedProcess, ForkServerProcess

MODULES = ("msgspec",)


def start() -> ForkServerProcess:
    server = fork_server.start(dict(os.environ), MODULES)
    assert server is not None
    assert asyncio.run(server.wait_ready())
    return server


def orphan() -> bool:
    """Of a child that is its own session's leader and ends before its own child does."""
    program = "import os\nos.setsid()\nif os.fork(): os._exit(0)\nimport time\ntime.sleep(0.2)"
    known = subprocess.Popen([sys.executable, "-c", program])
    before = list_children(os.getpid())
    known.wait()
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    fork_server.reap_orphans([])
    return bool(before) and not set(list_children(os.getpid())) - set(before)


def part_of(arguments: Sequence[str], environ: Mapping[str, str]) -> Component:
    async def answers() -> bool:
        return True

    return Component(name="part", command=(*CLAW, *arguments), environ=environ, log=Path(os.devnull), answers=answers)


def main() -> None:
    server, parts = start(), dict[int, ForkedProcess]()
    for line in sys.stdin:
        action, *words = shlex.split(line)
        answer: object = None
        if action == "fork":
            part = server.fork(part_of(words[2:], {**os.environ, words[0]: words[1]}), 2)
            if part:
                parts[part.pid] = part
                answer = part.pid
        elif action == "wait":
            answer = parts[int(words[0])].wait()
        elif action == "kill":
            os.kill(int(words[0]), signal.SIGKILL)
        elif action == "server":
            answer = [server.pid, server.is_alive]
        elif action == "again":
            server.stop()
            server = start()
        elif action == "orphan":
            answer = orphan()
        elif action == "end":
            server.stop()
            break
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
