"""Settings of workers: work in flight and the handling of failures."""

import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section

HOST = "host"
WEIGHT_MIN = 0.01  # a tenant that had no turns at all would wait for ever


@lru_cache(maxsize=8)
def _read_weights(weights: str) -> Mapping[str, float]:
    pairs = (each.partition("=") for each in weights.split(",") if each.strip())
    return {tenant.strip(): max(WEIGHT_MIN, float(weight)) for tenant, _, weight in pairs}


class WorkerSettings(Section, frozen=True, kw_only=True):
    """Workers: work in flight and the handling of failures."""

    prefix: ClassVar[str] = "CLAW_LANE_"

    key_queue_max: Annotated[int, Meta(ge=1, le=10_000, description="Events queued behind one key before its partition pauses.")] = 32
    window: Annotated[int, Meta(ge=16, le=100_000, description="Maximum number of unacknowledged events per partition.")] = 1_000
    retry_s: Annotated[float, Meta(ge=0, le=300, description="Longest time of retries before an event becomes a dead letter.")] = 30.0
    deaths_max: Annotated[int, Meta(ge=1, le=20, description="Process crashes on one event before it becomes a dead letter.")] = 3
    late_s: Annotated[
        float,
        Meta(gt=0, le=10, description="Lateness of the event loop beyond which a chat worker begins no answer until others have ended."),
    ] = 0.1
    stuck_s: Annotated[
        float, Meta(gt=0, le=3600, description="Time of lag without progress after which a worker exits and is restarted.")
    ] = 240.0
    lease_s: Annotated[float, Meta(ge=1, le=60, description="Lifetime of a key lease; renewed after a third of it.")] = 10.0
    session_timeout_s: Annotated[
        float, Meta(ge=6, le=60, description="Time without heartbeats after which Kafka removes a worker from its group.")
    ] = 12.0
    instance: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
            description="Name of a worker that it keeps when it is started again, and that no other worker of its group has: its successor "
            "takes over its partitions and leases at once, not after the session timeout. `host`: the name of the machine or container; "
            "empty = none. `claw up` gives its workers one.",
        ),
    ] = ""
    inbox_tenants: Annotated[
        str,
        Meta(description="Comma-separated tenants whose inbox topic is read; the inbox of `default` is the open one of a single machine."),
    ] = "default"

    weights: Annotated[
        str,
        Meta(
            pattern=r"^(\s*[^\s=,]+\s*=\s*[0-9]{1,4}(\.[0-9]{1,3})?\s*(,|$))*$",
            description="Comma-separated tenant=weight: that tenant gets so many turns where others get one (at least 0.01).",
        ),
    ] = ""

    @property
    def instance_name(self) -> str:
        """The name that ``instance`` stands for; "" for none."""
        return socket.gethostname() if self.instance == HOST else self.instance

    def weight_of(self, tenant: str) -> float:
        """How many turns the tenant gets where others get one."""
        return _read_weights(self.weights).get(tenant, 1.0)

    @property
    def inboxes(self) -> tuple[str, ...]:
        """The tenants of ``inbox_tenants``."""
        return tuple(tenant for tenant in (each.strip() for each in self.inbox_tenants.split(",")) if tenant)
