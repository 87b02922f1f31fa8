"""What the agents of one worker process are built from, and what they share."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from prometheus_client import REGISTRY, CollectorRegistry

from adapters.redis.client import RedisClient
from schemas.settings import Settings
from streams.clock import Clock
from streams.lifecycle import Lifecycle
from streams.log.publisher import KafkaPublisher

T = TypeVar("T")
LifecycleT = TypeVar("LifecycleT", bound=Lifecycle)


class AgentPorts:
    """The core of a worker process. ``publisher`` is started, ``redis`` open; both stay the caller's to close."""

    def __init__(
        self, settings: Settings, redis: RedisClient, publisher: KafkaPublisher, clock: Clock, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self.settings, self.redis, self.publisher, self.clock, self.registry = settings, redis, publisher, clock, registry
        self.prefix = settings.redis.key_prefix  # of keys in Redis
        self._shared: dict[Callable[[AgentPorts], Any], Any] = {}
        self._lifecycles: list[Lifecycle] = []

    def get(self, factory: Callable[["AgentPorts"], T]) -> T:
        """What ``factory`` builds: one instance for everyone in this process who asks for it by this factory."""
        if factory not in self._shared:
            self._shared[factory] = factory(self)
        return cast("T", self._shared[factory])

    def provide(self, factory: Callable[["AgentPorts"], T], instance: T) -> None:
        """Have ``get`` return what the process has built, and closes, itself."""
        self._shared[factory] = instance

    def attach(self, part: LifecycleT) -> LifecycleT:
        """Start it with the worker, after what was attached before, and stop it with the worker."""
        self._lifecycles.append(part)
        return part

    @property
    def lifecycles(self) -> tuple[Lifecycle, ...]:
        """What was attached, in order."""
        return tuple(self._lifecycles)
