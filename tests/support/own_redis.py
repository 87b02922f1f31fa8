"""A Redis of a test's own, which may be frozen, killed and started again."""

import os
import signal
from pathlib import Path

from ops.stack import redis as server
from ops.stack.child import ComponentProcess
from ops.stack.ports import claim
from schemas.settings import RedisSettings


class OwnRedis:
    """Its data lies in ``folder`` and survives a stop; ``settings`` are a client's, who may do everything."""

    def __init__(self, folder: Path) -> None:
        self.node = server.RedisNode(folder / "redis", folder / "redis.log", claim("redis", 0, set()), commands=("@all",))
        self.settings = self.node.settings(RedisSettings(timeout_s=0.5))
        self._child: ComponentProcess | None = None

    async def start(self) -> None:
        self._child = ComponentProcess(server.prepare(self.node, os.environ))
        await self._child.wait_ready()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        self._signal(signal.SIGKILL)
        await self.stop()

    async def stop(self) -> None:
        """Also one that is frozen, or stands already."""
        if self._child is not None:
            child, self._child = self._child, None
            child.signal(signal.SIGCONT)
            await child.stop()

    def _signal(self, number: signal.Signals) -> None:
        assert self._child is not None
        self._child.signal(number)
