"""The watchdog of a process without a consumer group: whether its Kafka clients work although the broker answers.

A client can stop for good without an error. A process whose publisher or followers have stood still for long, while a client that was made
for the question gets its answers, is ended and started again, which is always safe: what it relays is on the log.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from adapters.kafka import TopicPartition
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.followers import Followers
from streams.log.partitions import fetch_partition_counts
from streams.log.publisher import KafkaPublisher

OBSERVE_S = 0.5  # between two looks at the clients of this process: no request
PROGRESS_S = 2.0  # between two comparisons with the ends of the partitions, a small request each
PROBE_S, PROBE_S_MAX = 3.0, 2.0  # between two questions to the broker while there is a problem, and for its answer
GRACE_S = 1.0  # to connect again: until then a client that lost its connection is no problem

log = structlog.get_logger(__name__)


class ClientWatchdog:
    """``stuck`` is called once, with the problem, when there was one for ``kafka.stuck_s`` and the broker answered all the time."""

    def __init__(self, kafka: KafkaSettings, publisher: KafkaPublisher, followers: Followers, stuck: Callable[[str], None]) -> None:
        self._kafka, self._publisher, self._followers, self._stuck = kafka, publisher, followers, stuck
        self._since_s: dict[str, float] = {}  # by problem: when it began
        self._own_since_s: float | None = None  # when the broker first answered although there was a problem
        self._probed_s, self._broker_answers = float("-inf"), False
        self._behind: dict[TopicPartition, tuple[int, float]] = {}  # positions before the end, and since when they stand there
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str:
        """What does not work for longer than a moment, in a sentence; ""."""
        now_s = time.monotonic()
        return next((problem for problem, since_s in self._since_s.items() if now_s - since_s >= GRACE_S), "")

    async def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="client-watchdog")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _watch(self) -> None:
        compared_s = time.monotonic()
        while not await self._is_stuck():
            await asyncio.sleep(OBSERVE_S)
            if time.monotonic() - compared_s >= PROGRESS_S:
                self._behind = await self._find_behind()
                compared_s = time.monotonic()
            self._since_s = {problem: self._since_s.get(problem, time.monotonic()) for problem in self._problems()}
        log.error("kafka_clients_stuck", problem=self.problem, stuck_s=self._kafka.stuck_s)
        self._stuck(self.problem)

    def _problems(self) -> list[str]:
        found = [self._publisher.problem] if self._publisher.problem else []
        found += [f"{follower.topic} is not followed" for follower in self._followers if not follower.is_connected]
        now_s = time.monotonic()
        found += [
            f"{place.topic} is not read on from offset {position} of partition {place.partition}"
            for place, (position, since_s) in self._behind.items()
            if now_s - since_s >= PROGRESS_S
        ]
        return found

    async def _is_stuck(self) -> bool:
        if not self.problem or not await self._probe():
            self._own_since_s = None
            return False
        if self._own_since_s is None:
            self._own_since_s = time.monotonic()
        return time.monotonic() - self._own_since_s >= self._kafka.stuck_s

    async def _probe(self) -> bool:
        """Whether a new client learns all partitions: then a restart helps."""
        if time.monotonic() - self._probed_s >= PROBE_S:
            names = {*self._publisher.topics, *(follower.topic for follower in self._followers)}
            try:
                async with asyncio.timeout(PROBE_S_MAX):
                    self._broker_answers = names == (await fetch_partition_counts(self._kafka, names)).keys()
            except (Unavailable, TimeoutError):
                self._broker_answers = False
            self._probed_s = time.monotonic()
        return self._broker_answers

    async def _find_behind(self) -> dict[TopicPartition, tuple[int, float]]:
        """The positions that have not moved since the last comparison although there is more to read."""
        behind: dict[TopicPartition, tuple[int, float]] = {}
        for follower in list(self._followers):
            for place, position in dict(follower.positions).items():
                try:
                    end = await self._publisher.readable_end(place)
                except Unavailable:
                    return {}  # nothing is known
                if follower.positions.get(place, end) == position < end:
                    before, since_s = self._behind.get(place, (position, time.monotonic()))
                    behind[place] = (position, since_s if before == position else time.monotonic())
        return behind
