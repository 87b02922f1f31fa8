"""A child that does nothing, ``python -m adapters.children.probe_child OPTIONS``: it shows which measures of confinement there are."""

import sys
from collections.abc import Iterator

from adapters.children import process
from adapters.children.child import ChildProcess, ChildSpec, Confinement
from adapters.children.protocol import ChildMessage, ChildOptions, Task

MODULE = "adapters.children.probe_child"
MEMORY_MIB = 256


class ProbeChild:
    """Performs no task."""

    def __init__(self, _options: ChildOptions) -> None:
        pass

    def perform(self, _task: Task) -> Iterator[ChildMessage]:
        """Part of process.TaskHandler."""
        sys.exit(1)

    def load_more(self) -> None:
        """Part of process.TaskHandler: nothing is left to load."""


async def probe(confinement: Confinement) -> tuple[str, ...]:
    """The measures in force in a child that lives for this call. Raises as ``ChildProcess.spawn``."""
    child = await ChildProcess.spawn(
        ChildSpec(module=MODULE, niceness=0, memory_mib=MEMORY_MIB, cpu_s=1, ocr_cpu_s=1, confinement=confinement)
    )
    await child.end(at_once=True)
    return child.measures


if __name__ == "__main__":
    process.run(ProbeChild)
