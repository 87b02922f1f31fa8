"""Choice of the concurrency limit for the calls to a model."""

import hashlib
from urllib.parse import urlsplit

from adapters.concurrency.cluster import ClusterLimit
from adapters.concurrency.port import UNLIMITED, ConcurrencyLimit
from adapters.models.providers.presets import PRESETS
from adapters.redis.client import RedisClient
from schemas.settings import Settings


class ConcurrencyLimits:
    """The concurrency limits of one process, one per server and model. Without ``redis`` each is the share of this process alone."""

    def __init__(self, settings: Settings, redis: RedisClient | None = None) -> None:
        self._settings, self._redis = settings, redis
        self._limits: dict[str, ClusterLimit] = {}

    @property
    def people_waiting(self) -> int:
        """Answers of this process that have no permit yet."""
        return sum(limit.people_waiting for limit in self._limits.values())

    def for_model(self, base_url: str, model: str, permits: int) -> ConcurrencyLimit:
        """The limit of this model at this server; none when the settings set no bound."""
        if permits == 0:
            return UNLIMITED
        name = hashlib.sha256(f"{base_url.rstrip('/')} {model}".encode()).hexdigest()[:16]
        if name not in self._limits:
            self._limits[name] = ClusterLimit(
                self._redis,
                prefix=self._settings.redis.key_prefix,
                name=name,
                label=f"{urlsplit(base_url).netloc}/{model}",
                limit=permits,
                workers=self._settings.model.workers,
                weight=self._settings.lanes.weight_of,
            )
        return self._limits[name]

    def for_embedding(self, base_url: str, model: str) -> ConcurrencyLimit:
        """Its own limit where it has permits; else that of the first answering model at the same server, behind chat."""
        own, first = self._settings.retrieval.embedding_permits, self._settings.model
        if own or first.provider == "local":
            return self.for_model(base_url, model, own)
        preset = PRESETS[first.provider]
        shared = first.base_url or preset.base_url
        if shared.rstrip("/") != base_url.rstrip("/"):
            return UNLIMITED
        return self.for_model(shared, first.name or preset.model, first.permits)
