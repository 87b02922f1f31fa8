"""Parts of a stack that print: numbered lines into the log, as fast as they can. Run as a program it supervises one of them."""

import os
import sys
import time
from pathlib import Path

from ops.stack.child import Component, ComponentProcess
from ops.stack.log_pipes import LogPipes

# It says beside the log how far it has come, until it is killed.
COUNTER = """
import os, sys, time
side = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for n in range(1_000_000):
    os.write(1, b"%06d\\n" % n)
    os.pwrite(side, b"%06d" % n, 0)
    if n % 100 == 0: time.sleep(0.001)
"""


def component(log: Path, program: str, *arguments: str) -> Component:
    async def answers() -> bool:
        return True

    command = (sys.executable, "-c", program, *arguments)
    return Component(name=log.stem, command=command, environ=dict(os.environ), log=log, answers=answers)


def supervise(home: Path) -> None:
    """Print the process ids of the writer and of a part that counts, and wait to be killed."""
    log = home / "logs" / "part.log"
    pipes = LogPipes([log], {}, bytes_max=65_536, older_max=1_000)
    part = ComponentProcess(component(log, COUNTER, str(home / "side")), pipes.output(log))
    sys.stdout.write(f"{pipes.pid} {part.pid}\n")
    sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
