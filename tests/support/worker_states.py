"""Reports of workers, as estimates see them."""

from datetime import UTC, datetime

import msgspec

from api.chats.ports import ChatPorts
from api.core import Core
from streams.runtime.worker_registry import WorkerState, save_worker_state
from tests.support.api_process import House

WORKER = WorkerState(
    lane="",
    id="w",
    partitions=4,
    assigned=4,
    lag=7,
    oldest_unacked_age_s=0.1,
    standstill_s=0.0,
    ready=True,
    stuck=False,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    metrics_port=0,
)


def chat(waiting: int, speed: float, ident: str = "chat") -> WorkerState:
    """A worker that both finds and answers, as the estimate sees it."""
    speeds = {"retrieve": 1_000.0, "generate": speed} if speed else {}
    return msgspec.structs.replace(WORKER, lane="chat", id=ident, waiting={"retrieve": 0, "generate": waiting}, speeds=speeds)


async def say(house: House, *states: WorkerState) -> None:
    """Let these reports be all there is, now."""
    for state in states:
        await save_worker_state(house.ports(Core).redis, house.settings.redis.key_prefix, state)
    house.ports(ChatPorts).estimates._reports.forget("")
