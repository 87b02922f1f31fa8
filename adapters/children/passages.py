"""The encoder's vectors of passages, from a child that runs when nothing else wants a core, and ends when it has nothing to do."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.children import folders
from adapters.children.child import ChildSpec, Confinement, TaskLimits
from adapters.children.pool import ChildPool, Policy
from adapters.children.protocol import PassageResult, PassageTask
from adapters.embedders.sentences import DIMENSIONS

NICENESS = 19  # where the idle class does not exist
WALL_S = 600.0  # for one call: on a busy machine the child hardly runs
MEMORY_MIB = 1_024  # it takes a third of that
TASKS_PER_CHILD = 10_000
IDLE_S = 30.0
WAIT_S = 120.0  # for a child to start where others want the cores


class PassageEncoder:
    """One child; ``tables`` is the folder of the multilingual table, whose tokenizer it takes. For one event loop."""

    def __init__(self, tables: Path, *, confinement: Confinement = "auto") -> None:
        self._limits = TaskLimits(wall_s=WALL_S, ocr_wall_s=WALL_S, memory_kib=MEMORY_MIB * 1024)
        spec = ChildSpec(
            module="adapters.children.passage_child",
            niceness=NICENESS,
            idle=True,
            memory_mib=MEMORY_MIB,
            cpu_s=int(WALL_S),
            ocr_cpu_s=int(WALL_S),
            tables=str(tables),
            confinement=confinement,
        )
        policy = Policy(
            size=1,
            waiting_max=1,
            wait_s_max=WAIT_S,
            tasks_max=TASKS_PER_CHILD,
            held_kib_max=MEMORY_MIB * 1024 // 2,
            eager=False,
            idle_s=IDLE_S,
        )
        self._pool = ChildPool(spec, policy)

    async def start(self) -> None:
        """The child starts with the first call."""
        await asyncio.to_thread(folders.sweep)

    async def stop(self) -> None:
        """End the child; a running call raises Unavailable."""
        await self._pool.stop()

    async def embed_passages(self, texts: Sequence[str]) -> list[NDArray[np.float16]]:
        """See ``SentenceEncoder.embed_passages``. Raises ChildDied, and Unavailable("overloaded") when no child starts."""
        clean = [text.encode("utf-8", "ignore").decode() for text in texts]
        done = await self._pool.call(PassageTask(clean), self._limits)
        assert isinstance(done.answer, PassageResult)
        return [np.frombuffer(rows, "<f2").reshape(-1, DIMENSIONS) for rows in done.answer.vectors]
