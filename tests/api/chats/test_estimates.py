"""The estimated wait: from what workers report, told with every answer about a document, and a refusal when it is too long."""

from datetime import UTC, datetime

import msgspec
import pytest

from api.chats.estimates import WAIT_S_MAX, Estimates, QueueEstimate, Workload
from api.chats.ports import ChatPorts
from api.core import Core
from domain.documents.lanes import EXPRESS_MAX, LaneRequest, Lanes
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_SUBMITTED,
)
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.settings.documents import DocumentSettings
from streams.clock import SystemClock
from streams.runtime.backlog import Backlog
from streams.runtime.worker_registry import WorkerState, save_worker_state
from streams.topics import Topic
from tests.support.api_people import key_of
from tests.support.api_process import House, opened, with_limits
from tests.support.problems import is_problem
from tests.support.worker_states import chat

pytestmark = pytest.mark.asyncio(loop_scope="session")
TOPICS = (DOCUMENTS_SUBMITTED, DOCUMENTS_QUEUED_EXPRESS, DOCUMENTS_QUEUED_BULK, DOCUMENTS_CHUNKED, DOCUMENTS_EMBEDDED)
RATES = {"route": 1000.0, "parse_express": 10.0, "parse_bulk": 5.0, "embed": 20.0, "index": 50.0}


def worker(ident: str, rates: dict[str, float], **lags: int) -> WorkerState:
    """A worker that reads all topics; ``lags`` by the last word of a topic's name."""
    return WorkerState(
        lane="documents",
        id=ident,
        partitions=4,
        assigned=4,
        lag=0,
        oldest_unacked_age_s=0,
        standstill_s=0,
        ready=True,
        stuck=False,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        metrics_port=0,
        lags={topic.name: lags.get(_word(topic), 0) for topic in TOPICS},
        rates=rates,
    )


def _word(topic: Topic) -> str:
    return topic.name.split(".")[-2]


async def said(house: House, *states: WorkerState) -> Estimates:
    """What is estimated when these workers report."""
    prefix = house.settings.redis.key_prefix
    for state in states:
        await save_worker_state(house.ports(Core).redis, prefix, state)
    return Estimates(house.ports(Core).redis, prefix, SystemClock(), house.settings.documents.wait_s_max)


async def test_nobody_reports_means_unknown(api_settings: Settings):
    async with opened(with_limits(api_settings)) as house:
        assert await (await said(house)).new_document_wait_s("t") is None


async def test_idle_is_no_wait(api_settings: Settings):
    """Also before anything was ever measured."""
    async with opened(with_limits(api_settings)) as house:
        assert await (await said(house, worker("a", {}))).new_document_wait_s("t") == 0
        assert await (await said(house, worker("a", {}, express=1))).new_document_wait_s("t") is None


async def test_lag_by_rate_of_every_hop(api_settings: Settings):
    """Of all workers together; what has come further waits less, what has ended not at all; machines and the busy take bulk."""
    async with opened(with_limits(api_settings)) as house:
        lags = {"express": 30, "bulk": 1000, "chunked": 20, "embedded": 50}
        estimates = await said(house, worker("a", RATES, submitted=100, **lags), worker("b", RATES, **lags))
        assert await estimates.new_document_wait_s("t") == 5.1  # 100/2000 + 60/20 + 40/40 + 100/100 and up
        assert await estimates.open_document_wait_s("t", "express", "queued") == 5
        assert await estimates.open_document_wait_s("t", "bulk", "queued") == 202
        assert await estimates.open_document_wait_s("t", "bulk", "embedding") == 2
        assert await estimates.open_document_wait_s("t", "bulk", "indexed") is None
        lanes = Lanes(house.ports(Core).redis, house.settings.redis.key_prefix, 60, SystemClock().monotonic_s)
        await lanes.enter_many([LaneRequest("busy", f"busy/kb/{number}", number, awaited=True) for number in range(EXPRESS_MAX)])
        assert await estimates.new_document_wait_s("busy") == 202.1


def _rounded() -> Workload:
    return Workload.of([worker("a", {"parse_bulk": 0.0}, bulk=1)])


async def test_no_estimate_says_more_than_a_week():
    assert _rounded().wait_s(((DOCUMENTS_QUEUED_BULK, "parse_bulk"),)) == WAIT_S_MAX


async def test_too_long_a_wait_refuses_new_documents(api_settings: Settings):
    """With a time to come back; deleting goes on, and what waits is told how long."""
    settings = msgspec.structs.replace(with_limits(api_settings, enabled=False), documents=DocumentSettings(wait_s_max=100))
    async with opened(settings) as house:
        ada = await house.person()
        path = f"/knowledge/{ada.base}/documents/a"
        await said(house, worker("a", RATES, express=500))
        accepted = (await ada.call("PUT", path, json={"text": "x"})).json()
        assert accepted["estimated_wait_s"] == 50
        shown = (await ada.call("GET", path)).json()
        assert (shown["estimated_wait_s"], shown["percent"], shown["lane"]) == (50, 0, "express")
        await said(house, worker("a", RATES, express=1150))
        house.ports(ChatPorts).estimates._reports.forget("")
        refused = await ada.call("PUT", path, json={"text": "y"})
        is_problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "15"
        await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "a"), 1_000)
        is_problem(await ada.call("DELETE", path), 404, "not_found")


@pytest.mark.parametrize(
    ("states", "queue"),
    [
        ([], None),
        ([chat(0, 0)], QueueEstimate(0, 0)),
        ([chat(7, 0)], QueueEstimate(7, None)),
        ([chat(7, 2)], QueueEstimate(7, 3.5)),
        ([chat(7, 2), chat(3, 3, "other")], QueueEstimate(10, 2)),
    ],
)
async def test_queue_is_what_waits_by_how_fast_it_goes(states: list[WorkerState], queue: QueueEstimate | None):
    """Of all workers together; unknown is neither short nor long."""
    assert Workload.of(states).queue() == queue


async def test_a_light_tenant_is_told_and_refused_by_its_own_turns(api_settings: Settings):
    """What a heavy one has queued is the heavy one's to wait for."""
    async with opened(with_limits(api_settings)) as house:
        heavy = msgspec.structs.replace(
            worker("a", RATES, express=60, bulk=5_000),
            lane="chat",
            waiting={"retrieve": 0, "generate": 300},
            speeds={"generate": 2.0},
            backlogs={agent: Backlog.of({"heavy": 300, "other": 1}) for agent in ("generate", "parse_express", "parse_bulk")},
        )
        prefix = house.settings.redis.key_prefix
        await save_worker_state(house.ports(Core).redis, prefix, heavy)
        estimates = Estimates(house.ports(Core).redis, prefix, SystemClock(), 100, 30)
        assert await estimates.new_question_queue("light") == QueueEstimate(2, 1.0)
        assert await estimates.question_queue("other") == QueueEstimate(2, 1.0)
        with pytest.raises(Unavailable, match="about 150 s") as refused:
            await estimates.new_question_queue("heavy")
        assert refused.value.retry_after_s == 120
        assert await estimates.new_document_wait_s("light") == 0.1  # one document of the heavy tenant goes first
        assert await estimates.new_document_wait_s("heavy") == 6
        assert (await estimates.open_document_wait_s("other", "bulk", "queued") or 0) <= 7
        assert (await estimates.open_document_wait_s("heavy", "bulk", "queued") or 0) > 900
