"""Which gate the calls to a model pass."""

import hashlib
from urllib.parse import urlsplit

from adapters.concurrency.cluster import ClusterGate
from adapters.concurrency.port import OPEN, Gate
from adapters.models.presets import PRESETS
from adapters.redis.client import Client
from schemas.settings import Settings


class Gates:
    """The gates of one process, one per server and model. Without ``redis`` each is this process's share alone."""

    def __init__(self, settings: Settings, redis: Client | None = None) -> None:
        self._settings, self._redis = settings, redis
        self._gates: dict[str, ClusterGate] = {}

    @property
    def people_waiting(self) -> int:
        """Answers of this process that have no permit yet."""
        return sum(gate.people_waiting for gate in self._gates.values())

    def of(self, base_url: str, model: str, permits: int) -> Gate:
        """The gate of this model at this server; without a bound none at all."""
        if permits == 0:
            return OPEN
        name = hashlib.sha256(f"{base_url.rstrip('/')} {model}".encode()).hexdigest()[:16]
        if name not in self._gates:
            self._gates[name] = ClusterGate(
                self._redis,
                prefix=self._settings.redis.key_prefix,
                name=name,
                label=f"{urlsplit(base_url).netloc}/{model}",
                limit=permits,
                workers=self._settings.model.workers,
            )
        return self._gates[name]

    def of_embedding(self, base_url: str, model: str) -> Gate:
        """Its own gate where it has permits; else that of the first answering model at the same server: there chat goes before it."""
        own, first = self._settings.retrieval.embedding_permits, self._settings.model
        if own or first.provider == "local":
            return self.of(base_url, model, own)
        preset = PRESETS[first.provider]
        shared = first.base_url or preset.base_url
        if shared.rstrip("/") != base_url.rstrip("/"):
            return OPEN
        return self.of(shared, first.name or preset.model, first.permits)
