"""Settings of workers: how much is in flight, how failures are met."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class WorkerSettings(Section, frozen=True, kw_only=True):
    """Workers: how much is in flight, how failure is met."""

    prefix: ClassVar[str] = "CLAW_LANE_"

    key_queue_max: Annotated[int, Meta(ge=1, le=10_000, description="Events queued behind one key before its partition pauses.")] = 32
    window: Annotated[int, Meta(ge=16, le=100_000, description="Unacknowledged span per partition.")] = 1_000
    retry_s: Annotated[float, Meta(ge=0, le=300, description="Longest retry in place before an event is dead-lettered.")] = 30.0
    deaths_max: Annotated[int, Meta(ge=1, le=20, description="Process deaths on one event before it is dead-lettered.")] = 3
    late_s: Annotated[
        float, Meta(gt=0, le=10, description="With an event loop later than this a chat worker begins no answers until some have ended.")
    ] = 0.1
    stuck_s: Annotated[float, Meta(gt=0, le=3600, description="Lag without progress this long ends the worker (it is restarted).")] = 240.0
    lease_s: Annotated[float, Meta(ge=1, le=60, description="Life of a lease on a key; renewed at a third of it.")] = 10.0
    session_timeout_s: Annotated[float, Meta(ge=6, le=60, description="Kafka drops a silent worker after this.")] = 12.0
    inbox_tenants: Annotated[
        str, Meta(description="Comma-separated tenants whose inbox topic is read; `default` is the open one of the loopback profile.")
    ] = "default"

    @property
    def inboxes(self) -> tuple[str, ...]:
        """The tenants of ``inbox_tenants``."""
        return tuple(tenant for tenant in (each.strip() for each in self.inbox_tenants.split(",")) if tenant)
