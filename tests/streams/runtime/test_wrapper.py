"""The agent wrapper: every way a step can end, on a real log and a real Redis."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from schemas.errors import Problem, Refused, Superseded, Unavailable
from schemas.events import encode
from schemas.settings import WorkerSettings
from streams.clock import SystemClock
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset, Outgoing
from streams.runtime import retries
from streams.runtime.agent import Agent, Context
from streams.runtime.hooks import StepHooks, StepObserver
from streams.runtime.leases import KeyLeases
from streams.runtime.metrics import StepMetrics, WorkerMetrics
from streams.runtime.poison import PoisonDetector
from streams.runtime.runner import Execution, WorkOutcome
from streams.runtime.wrapper import WorkerPorts, Wrapper
from tests.streams.conftest import poke
from tests.support.poked import OTHER, POKED


class Recorder(StepObserver):
    """What an observer hears, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def on_begun(self, agent: str, delivery: Delivery, waited_s: float) -> None:
        assert (agent, waited_s >= 0) == ("agent", True)
        self.heard.append(("begun", delivery.place.offset))

    def on_run(self, agent: str, duration_s: float) -> None:
        assert duration_s >= 0
        self.heard.append(("run",))

    def on_repeated(self, agent: str, cause: str, error: BaseException, tries: int) -> None:
        self.heard.append(("repeated", cause, tries))

    def on_failed(self, agent: str, delivery: Delivery, event: Any, problem: Problem) -> None:
        self.heard.append(("failed", delivery.place.offset, event is not None, problem.code))

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:
        assert duration_s >= 0
        self.heard.append(("done", delivery.place.offset, outcome))


class Bench:
    """One agent in its wrapper; ``plan`` is what its step does at each try."""

    def __init__(self, settings, publisher, redis, **options):
        self.settings, self.publisher = settings, publisher
        self.plan: list[Any] = []
        self.seen: list[tuple[Any, Context]] = []
        self.told: list[Problem] = []
        self.told_as: list[tuple[int, bool]] = []  # attempt, and whether it was ours
        self.metrics = WorkerMetrics(CollectorRegistry())
        prefix = settings.redis.key_prefix
        self.leases = KeyLeases(redis, prefix=prefix, worker="w", lease_s=0.3, wait_s_max=9, clock=SystemClock(), metrics=self.metrics)
        self.deaths = PoisonDetector(
            redis, prefix=prefix, name="g/a", worker="w", deaths_max=3, last_chance=asyncio.Lock(), metrics=self.metrics
        )
        self.agent = replace(Agent(name="agent", reads=(POKED,), step=self.step, failed=self.failed), **options)
        self.recorder = Recorder()
        hooks = StepHooks((StepMetrics(self.metrics), self.recorder), self.metrics.count_observer_error)
        parts = WorkerPorts(settings, publisher, SystemClock(), self.leases, hooks)
        self.wrapper = Wrapper(self.agent, parts, self.deaths)
        self.turn = Execution(asyncio.Semaphore(1), asyncio.get_running_loop().time())

    async def step(self, event: Any, context: Context) -> Sequence[Outgoing]:
        self.seen.append((event, context))
        action: Any = self.plan.pop(0) if self.plan else ()
        if isinstance(action, Exception):
            raise action
        outgoing: Sequence[Outgoing] = await action(event, context) if callable(action) else action
        return outgoing

    async def failed(self, event: Any, problem: Problem, context: Context) -> Sequence[Outgoing]:
        self.told.append(problem)
        self.told_as.append((context.attempt, await context.still_owner()))
        return (poke("told", len(self.told), topic=OTHER),)

    async def run(self, value: bytes | None = None, offset: int = 0) -> WorkOutcome:
        place = LogOffset(self.publisher.physical_name(POKED), 0, offset)
        value = encode(poke("k", 1).event) if value is None else value
        return await self.wrapper(Delivery(place, b"k", value, 1_700_000_000_000, {"hop": b"1"}), self.turn)

    def count(self, outcome: str) -> float:
        return float(self.metrics.events.labels("agent", outcome)._value.get())


@pytest.fixture
async def make(settings, publisher, redis):
    made = []
    quick = msgspec.structs.replace(settings, lanes=WorkerSettings(retry_s=0.5))

    def bench(**options) -> Bench:
        made.append(Bench(quick, publisher, redis, **options))
        return made[-1]

    yield bench
    for each in made:
        await each.leases.stop()


async def ends(publisher, topic) -> int:
    """Records on a topic; one that was just created may have partitions whose broker does not know yet that it leads them."""
    for _ in range(50):
        try:
            return sum([await publisher.end_offset(topic, n) for n in range(4)])
        except Unavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("no end of the log")


async def test_what_a_step_returns_is_on_the_log_when_the_delivery_is_done(make, publisher):
    bench = make()
    bench.plan = [(poke("x", 1, topic=OTHER), poke("y", 2, topic=OTHER))]
    assert await bench.run() is WorkOutcome.DONE
    assert await ends(publisher, OTHER) == 2
    event, context = bench.seen[0]
    assert (event.data.number, context.attempt, context.headers) == (1, 0, {"hop": b"1"})
    assert bench.count("handled") == 1
    assert bench.metrics.in_flight.labels("agent")._value.get() == 0


async def test_every_try_of_a_leased_step_has_a_higher_attempt(make):
    """What a try published must not be taken for what the next one publishes; nor for what the failure of all of them does."""
    attempts = []

    async def fail(_event, context):
        attempts.append(context.attempt)
        raise RuntimeError("again")

    bench = make(leased=True)
    bench.plan = [fail] * 3
    assert await bench.run() is WorkOutcome.DONE
    attempts += [attempt for attempt, _ in bench.told_as]
    assert len(attempts) == 4
    assert attempts == sorted(set(attempts))


async def test_a_step_whose_partition_was_given_away_is_not_tried_again(make):
    """Who has the partition now tries again; without Redis both would believe that the reply is theirs."""
    bench = make(leased=True)

    async def lose(_event, _context):
        bench.turn.detached = True
        raise Unavailable("kafka_unavailable")

    bench.plan = [lose]
    assert await bench.run() is WorkOutcome.LEFT
    assert len(bench.seen) == 1


async def test_a_part_that_is_away_is_waited_for(make, dead_letters):
    bench = make()
    bench.plan = [Unavailable("index_unavailable", retry_after_s=0.05), RuntimeError("a race")]
    assert await bench.run() is WorkOutcome.DONE
    assert len(bench.seen) == 3
    assert bench.seen[-1][1].replayed
    assert await dead_letters() == []


@pytest.mark.parametrize(
    ("plan", "code", "error", "tries"),
    [
        ([Refused("document_empty", "no text")], "document_empty", b"Refused", 1),
        ([Unavailable("model_unavailable", retry_after_s=0.2)] * 9, "model_unavailable", b"Unavailable", None),
        ([ValueError("a bug")] * 9, "event_failed", b"ValueError", 3),
    ],
)
async def test_what_cannot_be_handled_is_dead_lettered_as_it_came_and_its_agent_heard(
    make, publisher, dead_letters, plan, code, error, tries
):
    bench = make()
    bench.plan = plan
    value = encode(poke("k", 1).event)
    assert await bench.run(value) is WorkOutcome.DONE
    (letter,) = await dead_letters()
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"k", value)
    assert headers["topic"].decode() == publisher.physical_name(POKED)
    assert (headers["partition"], headers["offset"], headers["timestamp-ms"]) == (b"0", b"0", b"1700000000000")
    assert (headers["agent"], headers["code"].decode(), headers["error"]) == (b"agent", code, error)
    assert headers["traceparent"].startswith(b"00-0af7")
    assert headers["original-hop"] == b"1"
    assert tries is None or int(headers["attempts"]) == tries
    assert [problem.code for problem in bench.told] == [code]
    assert await ends(publisher, OTHER) == 1, "what the agent had to say"
    assert bench.count("dead_lettered") == 1


@pytest.mark.parametrize("code", ["redis_unavailable", "index_unavailable"])
async def test_an_outage_of_a_shared_part_is_waited_out_unless_somebody_waits(make, dead_letters, monkeypatch, code):
    """Every event would fail alike: a minute without Redis must not turn a backlog into dead letters. A question is told instead."""
    monkeypatch.setattr(retries, "BACKOFF_S_MAX", 0.2)
    outage = [Unavailable(code, retry_after_s=0.2)] * 9  # 1.8 s; the retries end after 0.5 s
    patient, hurried = make(), make(awaited=True)
    patient.plan, hurried.plan = list(outage), list(outage)
    assert await patient.run() is WorkOutcome.DONE
    assert len(patient.seen) == 10
    assert await dead_letters() == []
    assert await hurried.run() is WorkOutcome.DONE
    assert len(await dead_letters()) == 1


@pytest.mark.parametrize(
    ("error", "left", "outcome"),
    [
        (Unavailable("model_unavailable"), 1, "postponed"),
        (Unavailable("model_unavailable"), 0, "dead_lettered"),
        (Refused("document_unreadable"), 1, "dead_lettered"),
        (ValueError("a bug"), 1, "dead_lettered"),
    ],
)
async def test_what_is_away_for_long_is_tried_again_later_if_the_agent_can(make, dead_letters, publisher, error, left, outcome):
    """What fails by itself is not; nor is what has no retry left."""
    asked: list[str] = []

    async def postpone(_event: Any, problem: Problem, _context: Context) -> Sequence[Outgoing] | None:
        asked.append(problem.code)
        return (poke("later", 1, topic=OTHER),) if left else None

    bench = make(postpone=postpone)
    bench.plan = [error] * 50
    assert await bench.run() is WorkOutcome.DONE
    assert bench.recorder.heard[-1] == ("done", 0, outcome)
    assert asked == (["model_unavailable"] if isinstance(error, Unavailable) else [])
    assert len(await dead_letters()) == (outcome == "dead_lettered")
    assert len(bench.told) == (outcome == "dead_lettered")
    assert bench.count(outcome) == 1
    assert await ends(publisher, OTHER) == 1


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b'{"type": "who.knows"}'])
async def test_a_malformed_event_is_dead_lettered_at_once(make, dead_letters, value):
    bench = make()
    with capture_logs() as logged:
        assert await bench.run(value) is WorkOutcome.DONE
    (letter,) = await dead_letters()
    assert dict(letter.headers)["code"] == b"event_malformed"
    assert [each["code"] for each in logged if each["event"] == "event_dead_lettered"] == ["event_malformed"]
    assert "who.knows" not in str(logged)  # what an input says is in the dead letter, and in no log
    assert letter.value == value
    assert bench.seen == []


@pytest.mark.parametrize("kept", [{"retention_ms": None}, {"compacted": True}])
async def test_a_tombstone_on_a_compacted_topic_is_nothing_to_do(make, dead_letters, kept):
    """Also of one whose records expire as well."""
    bench = make(reads=(replace(POKED, **kept),))
    place = LogOffset(bench.publisher.physical_name(POKED), 0, 0)
    assert await bench.wrapper(Delivery(place, b"k", None, 0, {}), bench.turn) is WorkOutcome.DONE
    assert bench.seen == []
    assert await dead_letters() == []


async def test_a_raw_agent_gets_the_delivery(make):
    bench = make(raw=True)
    assert await bench.run(b"\xff") is WorkOutcome.DONE
    assert isinstance(bench.seen[0][0], Delivery)


async def test_an_event_is_kept_while_the_log_is_away(make, publisher, monkeypatch, dead_letters):
    """Neither its results nor its dead letter can be written: it is neither lost nor crashed on, and done once the log is back."""
    bench = make()
    bench.plan = [Unavailable("kafka_unavailable", retry_after_s=0.01)] * 4 + [Refused("document_empty")]
    down = True

    async def publish_raw(*args, **kwargs):
        if down:
            raise Unavailable("kafka_unavailable")
        return await type(publisher).publish_raw(publisher, *args, **kwargs)

    monkeypatch.setattr(publisher, "publish_raw", publish_raw, raising=False)
    work = asyncio.ensure_future(bench.run())
    await asyncio.sleep(2.5)
    assert not work.done()
    down = False
    assert await asyncio.wait_for(work, 6) is WorkOutcome.DONE
    assert len(await dead_letters()) == 1


async def test_a_cancellation_that_nobody_asked_for_is_a_failure_and_one_that_was_ends_the_work(make, dead_letters):
    bench = make()

    async def cancelled_inside(event, context):
        inner = asyncio.ensure_future(asyncio.sleep(9))
        inner.cancel()
        await inner

    bench.plan = [cancelled_inside]
    assert await bench.run() is WorkOutcome.DONE
    assert len(bench.seen) == 2

    async def long(event, context):
        await asyncio.sleep(30)

    bench.plan = [long]
    work = asyncio.ensure_future(bench.run())
    await asyncio.sleep(0.2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not bench.turn.permits.locked()
    assert await dead_letters() == []


async def test_retries_count_from_when_a_step_last_said_that_it_rightly_waits(make, dead_letters):
    """Half a second of retries, after almost a second of waiting for its turn: what fails then is still tried again."""
    bench = make()

    async def waited(event, context):
        await asyncio.sleep(0.8)
        context.alive()
        raise Unavailable("index_unavailable")

    bench.plan = [waited, ()]
    assert await bench.run() is WorkOutcome.DONE
    assert (len(bench.seen), bench.count("handled")) == (2, 1)
    assert await dead_letters() == []


async def test_a_step_that_says_it_waited_in_every_try_is_not_tried_for_ever(make, dead_letters, monkeypatch):
    """An answer takes its slot in every try; while its provider refuses, the reply has to fail within the time limit all the same."""
    bench = make()
    monkeypatch.setattr("streams.runtime.retries.BACKOFF_S_MAX", 0.1)  # no single pause is as long as the limit

    async def refused(event, context):
        context.alive()
        raise Unavailable("model_rate_limited")

    bench.plan = [refused] * 99
    assert await asyncio.wait_for(bench.run(), 10) is WorkOutcome.DONE
    assert len(bench.seen) < 20
    assert len(await dead_letters()) == 1


async def test_superseded_work_is_left_until_it_has_come_back_too_often(make, dead_letters):
    bench = make()
    bench.plan = [Superseded("a newer attempt")] * 9
    for _ in range(5):
        assert await bench.run() is WorkOutcome.LEFT
    assert await dead_letters() == []
    assert await bench.run() is WorkOutcome.DONE
    assert len(await dead_letters()) == 1


async def test_a_leased_step_knows_its_attempt_and_ends_when_the_lease_is_lost(make, redis):
    bench = make(leased=True)
    entered = asyncio.Event()

    async def long(event, context):
        assert await context.still_owner()
        entered.set()
        await asyncio.sleep(30)

    bench.plan = [long]
    work = asyncio.ensure_future(bench.run())
    await entered.wait()
    assert bench.seen[0][1].attempt > 0
    (lease,) = bench.leases._held
    await redis.set(lease.keys[0], "somebody else")
    assert await asyncio.wait_for(work, 3) is WorkOutcome.LEFT
    assert bench.count("superseded") == 1


async def test_a_leased_agent_tells_a_failure_under_the_newest_attempt(make):
    """Readers ignore what lower attempts say: a failure told under none would leave them waiting for ever."""
    bench = make(leased=True)
    bench.plan = [Superseded("a newer attempt")] * 9
    for _ in range(6):
        await bench.run()
    attempts = [context.attempt for _, context in bench.seen]
    assert (len(attempts), attempts) == (5, sorted(set(attempts)))
    ((attempt, is_owner),) = bench.told_as
    assert attempt > attempts[-1]
    assert is_owner


async def test_work_that_had_not_begun_when_its_partition_went_away_does_not_begin(make):
    bench = make()
    bench.turn.detached = True
    assert await bench.run() is WorkOutcome.LEFT
    assert bench.seen == []


async def test_poison_is_dead_lettered_before_it_is_run(make, publisher, dead_letters):
    bench = make()
    partition = (publisher.physical_name(POKED), 0)

    async def log_end(partitions):
        return dict.fromkeys(partitions, 1)

    await bench.deaths._redis.hset(bench.deaths._key(partition), mapping={"owner": "dead", "0": 2})
    await bench.deaths.sign_on([partition], log_end)
    assert await bench.run() is WorkOutcome.DONE
    assert bench.seen == []
    (letter,) = await dead_letters()
    assert dict(letter.headers)["code"] == b"event_poisonous"
    assert [problem.code for problem in bench.told] == ["event_poisonous"]


async def test_log_lines_of_a_step_carry_its_place_and_its_trace(make):
    bench = make()
    bound = {}

    async def look(event, context):
        bound.update(structlog.contextvars.get_contextvars())
        return ()

    bench.plan = [look]
    await bench.run(offset=8)
    assert bound["agent"] == "agent"
    assert (bound["partition"], bound["offset"], bound["tenant"]) == (0, 8, "t")
    assert bound["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def together(bench: "Bench", *values: bytes, turns: Sequence[Execution] = ()) -> Any:
    """Deliveries of one go, each with a turn of its own."""
    place = bench.publisher.physical_name(POKED)
    made = [
        (Delivery(LogOffset(place, 0, offset), b"k%d" % offset, value, 1_700_000_000_000, {}), Execution(asyncio.Semaphore(1), 0.0))
        for offset, value in enumerate(values)
    ]
    return [(delivery, turns[n] if n < len(turns) else turn) for n, (delivery, turn) in enumerate(made)]


def poked(number: int) -> bytes:
    return encode(poke("k", number).event)


async def test_what_came_at_once_is_stepped_at_once_and_each_has_its_own_results(make, publisher):
    calls = []

    async def step_many(events):
        calls.append([event.data.number for event, _ in events])
        return [(poke("x", event.data.number, topic=OTHER),) for event, _ in events]

    bench = make(step_many=step_many)
    assert await bench.wrapper.run_batch(together(bench, poked(1), poked(2), poked(3))) == [WorkOutcome.DONE] * 3
    assert (calls, bench.seen, bench.count("handled")) == ([[1, 2, 3]], [], 3)
    assert await ends(publisher, OTHER) == 3


async def test_when_the_common_step_fails_the_one_that_is_bad_fails_alone(make, dead_letters):
    async def step_many(events):
        raise ValueError("one of them")

    bench = make(step_many=step_many)
    bench.plan = [(), Refused("document_empty", "no text"), ()]
    assert await bench.wrapper.run_batch(together(bench, poked(1), poked(2), poked(3))) == [WorkOutcome.DONE] * 3
    assert sorted(event.data.number for event, _ in bench.seen) == [1, 2, 3]
    assert (bench.count("handled"), bench.count("dead_lettered")) == (2, 1)
    assert len(await dead_letters()) == 1


async def test_what_is_out_of_the_ordinary_is_taken_out_of_the_common_step(make, dead_letters):
    """Malformed, or left before: each goes its own way; one whose partition is gone does not begin."""
    calls = []

    async def step_many(events):
        calls.append([event.data.number for event, _ in events])
        return [()] * len(events)

    bench = make(step_many=step_many)
    gone, left = Execution(asyncio.Semaphore(1), 0.0, detached=True), Execution(asyncio.Semaphore(1), 0.0, handovers=1)
    deliveries = together(bench, poked(0), poked(1), b"{garbage", poked(3), poked(4), turns=(gone, left))
    assert await bench.wrapper.run_batch(deliveries) == [
        WorkOutcome.LEFT,
        WorkOutcome.DONE,
        WorkOutcome.DONE,
        WorkOutcome.DONE,
        WorkOutcome.DONE,
    ]
    assert calls == [[3, 4]]
    assert [event.data.number for event, _ in bench.seen] == [1]
    assert len(await dead_letters()) == 1


async def test_what_is_worked_in_order_is_stepped_together_or_one_after_another(make, dead_letters):
    """A special case puts an end to the common step, for what is behind it must not be done before it."""
    calls = []

    async def step_many(events):
        calls.append([event.data.number for event, _ in events])
        if calls[-1] == [6, 7]:
            raise ValueError("one of them")
        return [()] * len(events)

    bench = make(step_many=step_many, in_order=True)
    assert await bench.wrapper.run_batch(together(bench, poked(1), poked(2), poked(3))) == [WorkOutcome.DONE] * 3
    assert (calls, bench.seen) == ([[1, 2, 3]], [])
    assert await bench.wrapper.run_batch(together(bench, poked(4), b"{garbage", poked(5))) == [WorkOutcome.DONE] * 3
    assert await bench.wrapper.run_batch(together(bench, poked(6), poked(7))) == [WorkOutcome.DONE] * 2
    assert [event.data.number for event, _ in bench.seen] == [4, 5, 6, 7]
    assert len(await dead_letters()) == 1


async def test_nothing_is_done_behind_an_event_of_its_partition_that_is_left(make):
    async def step_many(events):
        raise AssertionError(events)

    bench = make(step_many=step_many, in_order=True)
    gone = Execution(asyncio.Semaphore(1), 0.0, detached=True)
    deliveries = together(bench, poked(0), poked(1), poked(2), turns=(gone,))
    other = replace(deliveries[2][0], place=replace(deliveries[2][0].place, partition=1))
    deliveries[2] = (other, deliveries[2][1])
    assert await bench.wrapper.run_batch(deliveries) == [WorkOutcome.LEFT, WorkOutcome.LEFT, WorkOutcome.DONE]
    assert [event.data.number for event, _ in bench.seen] == [2]


async def test_suspects_are_counted_one_by_one(make, publisher):
    """After a process death nothing of that time is worked in common: the death would have one name for all of them."""
    calls = []

    async def step_many(events):
        calls.append(len(events))
        return [()] * len(events)

    bench = make(step_many=step_many)

    async def log_end(partitions):
        return dict.fromkeys(partitions, 2)

    await bench.deaths._redis.execute_command(
        "HSET", f"{bench.settings.redis.key_prefix}:deaths:{{g/a/{publisher.physical_name(POKED)}/0}}", "owner", "somebody"
    )
    await bench.deaths.sign_on([(publisher.physical_name(POKED), 0)], log_end)
    assert await bench.wrapper.run_batch(together(bench, *(poked(n) for n in range(5)))) == [WorkOutcome.DONE] * 5
    assert calls == [3]
    assert sorted(event.data.number for event, _ in bench.seen) == [0, 1]


async def test_observers_hear_each_part_of_a_step_in_order(make):
    bench = make()
    bench.plan = [Unavailable("index_unavailable", retry_after_s=0.01), RuntimeError("a race")]
    assert await bench.run(offset=7) is WorkOutcome.DONE
    assert bench.recorder.heard == [
        ("begun", 7),
        ("run",),
        ("repeated", "index_unavailable", 1),
        ("run",),
        ("repeated", "unexpected", 2),
        ("run",),
        ("done", 7, "handled"),
    ]


async def test_observers_hear_of_a_failure_once_its_dead_letter_is_written(make):
    bench = make()
    bench.plan = [Refused("document_empty", "no text")]
    await bench.run()
    own, failure_step = ("run",), ("run",)
    assert bench.recorder.heard == [
        ("begun", 0),
        own,
        failure_step,
        ("failed", 0, True, "document_empty"),
        ("done", 0, "dead_lettered"),
    ]


async def test_observers_hear_the_end_of_work_that_goes_elsewhere(make):
    """Superseded or cancelled: whoever counts what is in work must count it out again."""
    bench = make()
    entered = asyncio.Event()

    async def long(event, context):
        entered.set()
        await asyncio.sleep(30)

    bench.plan = [Superseded("a newer attempt"), long]
    assert await bench.run() is WorkOutcome.LEFT
    work = asyncio.ensure_future(bench.run())
    await entered.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert bench.recorder.heard == [("begun", 0), ("run",), ("done", 0, "superseded"), ("begun", 0), ("run",), ("done", 0, "cancelled")]
    assert bench.metrics.in_flight.labels("agent")._value.get() == 0
    assert {sample.labels["outcome"] for sample in bench.metrics.events.collect()[0].samples} == {"handled", "superseded"}


async def test_observers_of_a_common_step_hear_of_each_event(make):
    async def step_many(events):
        if len(events) > 2:
            raise ValueError("one of them")
        return [()] * len(events)

    bench = make(step_many=step_many)
    assert await bench.wrapper.run_batch(together(bench, poked(1), poked(2))) == [WorkOutcome.DONE] * 2
    assert bench.recorder.heard == [("begun", 0), ("begun", 1), ("run",), ("done", 0, "handled"), ("done", 1, "handled")]
    bench.recorder.heard.clear()
    assert await bench.wrapper.run_batch(together(bench, poked(1), poked(2), poked(3))) == [WorkOutcome.DONE] * 3
    heard = bench.recorder.heard
    assert heard[3:8] == [("run",), ("repeated", "together", 1), ("done", 0, "split"), ("done", 1, "split"), ("done", 2, "split")]
    assert sorted(part for part in heard[8:] if part[0] == "done") == [("done", n, "handled") for n in range(3)]
    assert bench.count("handled") == 5
    assert bench.metrics.in_flight.labels("agent")._value.get() == 0
