"""Workers die, stop and come back, Redis forgets, documents change: whatever the order, a reply ends once, is said once, is charged once.

The agent runs as it is, in a world whose every effect waits for its turn. Hypothesis chooses who goes on, who dies, and what Redis forgets.
Leases exclude nobody here and may say anything about who owns a reply; only attempts grow. So what holds here rests on the log alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.models.port import Finish, Piece, Speaker
from adapters.models.prices import Prices
from agents.generate import Generate
from domain.chats.reply_fold import ReplyFold
from domain.chats.reply_log import ReplyState
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, MESSAGES_CHANGED
from domain.usage.topics import USAGE_RECORDED
from schemas.chats import ChatAsked, ChatGrounded, Completed, Grounding, MessageChanged, ReplyCancelled, ReplyCompleted, ReplyFailed, Usage
from schemas.errors import Superseded, Unavailable
from schemas.settings import ModelSettings
from streams.live import Live
from streams.log.outgoing import LogOffset, Outgoing
from streams.runtime.agent import Context
from tests.support.generating import PASSAGE, StoredVersion, grounded_event
from tests.support.ports import StandingClock, header

SPEAKER = Speaker(model="glm", provider="zhipu", prompt_hash="", prices=Prices(1.0, 1.0))


T = TypeVar("T")


class _Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


@dataclass
class World:
    """The log, Redis, and the turns of the workers. ``visible``: the version of the one document that may be cited."""

    log: dict[str, list[Any]] = field(default_factory=dict)  # topic to events
    table: dict[str, tuple[tuple[int, int], Any]] = field(default_factory=dict)
    redis_down: bool = False
    log_fails: str = ""  # the next publication fails: "refused", or "unacknowledged" though it was written
    visible: int = 5
    attempts: int = 0
    calls: int = 0
    leases_lost: bool = False  # Redis has forgotten who had them

    def append(self, outgoing: Outgoing) -> LogOffset:
        events = self.log.setdefault(outgoing.topic.name, [])
        events.append(outgoing.event)
        return LogOffset(outgoing.topic.name, outgoing.partition or 0, len(events) - 1)

    def project(self) -> None:
        """What the projector does; it does not read again what Redis has forgotten since."""
        if not self.redis_down:
            for offset, message in enumerate(self.log.get(MESSAGES_CHANGED.name, [])):
                self.apply(message, LogOffset("m", 0, offset))

    def apply(self, event: MessageChanged, place: LogOffset) -> None:
        order = (event.data.attempt, place.offset)
        if event.data.id not in self.table or self.table[event.data.id][0] < order:
            self.table[event.data.id] = order, event.data


@dataclass(eq=False)
class Worker:
    """One process: every port of the agent, and the model it asks. ``waiting``: effects that wait for their turn."""

    world: World
    owns: bool = True
    killed: bool = False
    name: str = "glm"
    names: tuple[str, ...] = ("glm",)
    is_fresh: bool = True
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.messages = self
        self.cancelled = asyncio.Event()

    async def turn(self) -> None:
        """Wait until the adversary lets this effect happen."""
        if self.killed:
            raise _Killed
        allowed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(allowed)
        try:
            await allowed
        finally:
            if allowed in self.waiting:
                self.waiting.remove(allowed)
        if self.killed:
            raise _Killed

    async def answer(self, request: Any) -> Any:
        self.world.calls += 1
        call = self.world.calls
        for piece in (f"第{call}次：高41.8米", "[1]。"):
            await self.turn()
            yield Piece(piece, SPEAKER)
        yield Finish(usage=Usage(prompt_tokens=10, completion_tokens=call), speaker=SPEAKER)

    async def _ask_redis(self) -> None:
        await self.turn()
        if self.world.redis_down:
            raise Unavailable("redis_unavailable")

    async def get(self, scope: str, ident: str) -> Any:
        await self._ask_redis()
        return self.world.table[ident][1] if ident in self.world.table else None

    async def apply(self, event: MessageChanged, place: LogOffset) -> None:
        await self._ask_redis()
        self.world.apply(event, place)

    async def is_closed(self, scope: str) -> bool:
        return False

    async def release(self, *_: str) -> None:
        await self._ask_redis()

    async def version_states(self, keys: Sequence[str]) -> dict[str, StoredVersion]:
        await self._ask_redis()
        return {key: StoredVersion(self.world.visible) for key in keys}

    @contextmanager
    def subscribe(self, tenant: str, reply_id: str) -> Any:
        yield self.cancelled

    async def check(self, event: asyncio.Event) -> None:
        pass

    async def read(self, tenant: str, question: Any, before: LogOffset) -> ReplyState:
        await self.turn()
        fold = _fold(self.world.log.get(CHATS_ANSWERED.name, [])[: before.offset])
        return ReplyState(fold.attempt, fold.end is not None)

    async def find_message(self, tenant: str, question: Any, partition: int, attempt: int) -> Any:
        await self.turn()
        found = [(event, LogOffset("m", 0, at)) for at, event in enumerate(self.world.log.get(MESSAGES_CHANGED.name, []))]
        return next((each for each in found if each[0].data.attempt == attempt), None)

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        return await (await self.enqueue(outgoing))

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]:
        return [await self.publish(each) for each in outgoing]

    async def enqueue(self, outgoing: Outgoing) -> Awaitable[LogOffset]:
        await self.turn()
        done: asyncio.Future[LogOffset] = asyncio.get_running_loop().create_future()
        failure, self.world.log_fails = self.world.log_fails, ""
        if failure != "refused":
            done.set_result(self.world.append(outgoing))
        if failure:
            raise Unavailable("kafka_unavailable")
        return done

    def partition_for(self, topic: Any, key: str) -> int:
        return 0

    async def still_owner(self) -> bool:
        await self.turn()
        return self.owns or self.world.redis_down  # nobody can tell it then


def _fold(events: Sequence[Any]) -> ReplyFold:
    fold = ReplyFold()
    for event in events:
        fold.apply(event)
    return fold


async def _handle(worker: Worker, event: ChatGrounded, *, replayed: bool) -> bool:
    """What the wrapper does with one delivery; whether it was done."""
    world = worker.world
    port: Any = worker  # every port
    world.attempts += 1
    context = Context(LogOffset("g", 0, 0), world.attempts, replayed, port, StandingClock(), worker.still_owner)

    async def advance() -> None:
        if not (worker.owns or world.redis_down or world.leases_lost):
            raise Superseded
        world.attempts += 1
        context.attempt, context.replayed, context.held = world.attempts, True, worker.owns

    context.advance = advance
    generate = Generate(port, Live(ModelSettings(delta_window_ms=0)), port, port, port, port, port)
    try:
        outgoing = await _repeat(lambda: generate.step(event, context), before_again=advance)
        await _repeat(lambda: worker.publish_all(outgoing))
    except (Superseded, _Killed, asyncio.CancelledError):
        return False
    return True


async def _repeat(action: Callable[[], Awaitable[T]], before_again: Callable[[], Awaitable[None]] | None = None) -> T:
    while True:
        try:
            return await action()
        except Unavailable:
            if before_again is not None:
                await before_again()


def _valid_ends(events: Sequence[Any]) -> list[Any]:
    """The ends that no start of a higher attempt has voided before."""
    newest, ends = -1, []
    for event in events:
        newest = max(newest, event.data.attempt)
        if isinstance(event, ReplyCompleted | ReplyFailed | ReplyCancelled) and event.data.attempt == newest:
            ends.append(event)
    return ends


def _grounded(world: World, asked: ChatAsked | None) -> ChatGrounded:
    """What ``retrieve`` makes of the question: passages of the visible version."""
    first = grounded_event()
    question = first.data.question if asked is None else asked.data
    passage = msgspec.structs.replace(PASSAGE, version=world.visible)
    data = Grounding(question=question, query="", keywords=(), passages=(passage,))
    return ChatGrounded(**header(f"g{question.round}", "conv"), data=data)


@dataclass(frozen=True)
class Fault:
    """After so many effects of the partition's owner, and some of those it was taken from: what happens to it, Redis or the document."""

    after: int
    others: int
    kind: str  # kill, end (cancelled in good order), lose (it goes on without its partition), redis (away, or back), change, log failures
    forget: bool  # Redis loses its data

    def __repr__(self) -> str:
        return f"{self.after}+{self.others} {self.kind}{' forget' if self.forget else ''}"


FAULTS = st.builds(
    Fault,
    after=st.integers(0, 24),
    others=st.integers(0, 8),
    kind=st.sampled_from(["kill", "end", "lose", "redis", "change", "refused", "unacknowledged"]),
    forget=st.booleans(),
)


class Adversary:
    """Runs the partition of grounded events: each is delivered until a worker that owns it is done."""

    def __init__(self, faults: Sequence[Fault], *, twice: bool = False) -> None:
        self.world, self.faults, self.twice = World(), list(faults), twice
        self.workers: dict[Worker, asyncio.Task[bool]] = {}

    async def run(self) -> World:
        """The world after all faults, and after everybody who is left has come to the end."""
        world, events, done = self.world, [_grounded(self.world, None)], 0
        try:
            while done < len(events):
                await self._deliver(events[done])
                done += 1
                again = list({each.id: each for each in world.log.get(CHATS_ASKED.name, [])}.values())
                if done == len(events) <= len(again):
                    events.append(_grounded(world, again[done - 1]))
            if self.twice:  # the same question again, once the projector has read what there is
                world.project()
                await self._deliver(msgspec.structs.replace(events[0], id="asked-twice"))
            for worker in self.workers:  # who was left behind comes back and does what it can, at first in vain
                world.log_fails = "refused" if world.leases_lost else ""
                while await self._let_on(worker):
                    pass
        finally:
            for worker, task in self.workers.items():
                worker.killed = True
                task.cancel()
        return world

    async def _deliver(self, event: ChatGrounded) -> None:
        replayed = False
        while True:
            worker = Worker(self.world)
            task = self.workers[worker] = asyncio.create_task(_handle(worker, event, replayed=replayed))
            while worker.owns and not worker.killed and not task.done():
                await self._meet_fault(worker, self.faults.pop(0)) if self.faults else await self._let_all_on(worker)
            if worker.owns and not worker.killed and task.result():
                return
            replayed = True

    async def _let_all_on(self, worker: Worker) -> None:
        """No more faults."""
        self.world.redis_down &= self.twice
        while await self._let_on(worker):
            pass
        assert self.workers[worker].done(), "it waits for something that nobody does"

    async def _meet_fault(self, owner: Worker, fault: Fault) -> None:
        for _ in range(fault.after):
            await self._let_on(owner)
        others = [worker for worker in self.workers if worker is not owner]
        for number in range(fault.others if others else 0):
            await self._let_on(others[-1 - number % len(others)])
        if fault.forget and not self.twice:  # else the API knows that the tables are lost
            self.world.table.clear()
            self.world.leases_lost = True
        if fault.kind in ("kill", "end", "lose"):
            self._end(owner, fault.kind)
        else:
            self._change_world(fault)

    def _end(self, owner: Worker, how: str) -> None:
        """Also of one that is done: its offset was not committed."""
        owner.killed, owner.owns = how == "kill", how == "kill"
        if how == "end":
            self.workers[owner].cancel()

    def _change_world(self, fault: Fault) -> None:
        world = self.world
        if fault.kind == "change":
            world.visible += 1
        elif fault.kind == "redis":
            world.redis_down = not world.redis_down
            if self.twice:
                world.project()
        else:
            world.log_fails = fault.kind

    async def _let_on(self, worker: Worker) -> bool:
        """Let one effect of this worker happen; False when it waits for none."""
        for _ in range(30):
            if worker.waiting:
                break
            await asyncio.sleep(0)
        else:
            return False
        allowed = worker.waiting.pop(0)
        if not allowed.done():  # else the worker was just cancelled
            allowed.set_result(None)
        return True


SEARCHED_AGAIN = [  # and answered by the first event all the same, by a worker that could not ask Redis
    Fault(0, 0, "change", forget=False),
    Fault(6, 0, "kill", forget=False),
    Fault(0, 0, "redis", forget=False),
    Fault(40, 0, "redis", forget=False),
]


ADOPTED = [Fault(9, 0, "lose", forget=False), Fault(10, 2, "lose", forget=False)]  # while the one before it was about to store its own


COMES_BACK = [Fault(5, 0, "lose", forget=True)]  # behind a worker that has ended the reply; no lease tells it


@given(st.lists(FAULTS, max_size=6), st.booleans())
@example(COMES_BACK, False)
@example([Fault(14, 0, "kill", forget=True)], False)
@example([Fault(2, 0, "redis", forget=False)], True)
@example(SEARCHED_AGAIN, False)
@example(ADOPTED, False)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_reply_ends_once_is_said_once_and_is_charged_once(faults, twice):
    """``twice``: the same question came again in the end."""
    world = asyncio.run(Adversary(faults, twice=twice).run())
    answered, messages = world.log[CHATS_ANSWERED.name], world.log[MESSAGES_CHANGED.name]
    fold = _fold(answered)
    assert fold.end is not None, "the reader waits for ever"
    assert len({each.data.attempt for each in _valid_ends(answered)}) == 1, "whoever reads the whole topic sees one end, too"
    newest = max(enumerate(messages), key=lambda each: (each[1].data.attempt, each[0]))[1].data
    assert isinstance(fold.end, Completed)
    assert (fold.end.text, fold.end.usage) == (newest.content, newest.usage), "what was said is what is stored"
    by_id: dict[str, Any] = {}
    for event in (*answered, *messages):
        assert by_id.setdefault(event.id, event) == event, "one id, two contents"
    said = [event.data.text for event in answered if hasattr(event.data, "seq") and event.data.attempt == fold.end.attempt]
    assert "".join(said) == fold.end.text, "also of one that was stored before its worker died"
    charges = [each for each in world.log[USAGE_RECORDED.name] if each.data.purpose == "answer"]
    assert len({each.id for each in charges}) == 1
