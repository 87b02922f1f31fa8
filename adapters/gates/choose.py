"""Which gate the calls to a model pass."""

import hashlib

from adapters.gates.cluster import ClusterGate
from adapters.gates.port import OPEN, Gate
from adapters.redis import Client
from schemas.settings import Settings


class Gates:
    """The gates of one process, one per server and model. Without ``redis`` each is this process's share alone."""

    def __init__(self, settings: Settings, redis: Client | None = None) -> None:
        self._prefix, self._workers, self._redis = settings.redis.key_prefix, settings.model.workers, redis
        self._gates: dict[str, ClusterGate] = {}

    def of(self, base_url: str, model: str, permits: int) -> Gate:
        """The gate of this model at this server; without a bound none at all."""
        if permits == 0:
            return OPEN
        name = hashlib.sha256(f"{base_url.rstrip('/')} {model}".encode()).hexdigest()[:16]
        if name not in self._gates:
            self._gates[name] = ClusterGate(self._redis, prefix=self._prefix, name=name, label=model, limit=permits, workers=self._workers)
        return self._gates[name]
