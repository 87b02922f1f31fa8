"""Which builds of each knowledge base's index there are, and which one readers see: claw.indexes.changed.v1, followed in memory.

Every process that files or finds follows it by itself, so they learn of a change within milliseconds of each other, not together: a plan is
changed only in steps that are right for readers and writers of the step before as well (see ``domain/indexes/reindexer.py``).
"""

import asyncio
from collections.abc import Iterable

import msgspec
import structlog

from adapters.kafka import StoredRecord
from domain.indexes.topics import INDEXES_CHANGED
from schemas.errors import Unavailable
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.settings import KafkaSettings
from streams.log.replica import TopicReplica

READ_S_MAX = 5.0  # a start waits this long for what is on the log
POLL_MS = 1_000  # of an idle topic; news comes at once
PLANS_MAX = 200_000  # about 100 MB; whoever makes a new plan looks, so that readers need not leave one out

log = structlog.get_logger(__name__)


class CollectionCatalogue:
    """The plans. ``start`` returns when the topic has been read once, or after 5 s; until then ``plan`` raises Unavailable."""

    def __init__(self, kafka: KafkaSettings, *, read_s_max: float = READ_S_MAX) -> None:
        self._read_s_max = read_s_max
        self._plans: dict[str, tuple[int, IndexPlan]] = {}  # with the offset
        self._decode = msgspec.json.Decoder(IndexPlanChanged).decode
        self._follower = TopicReplica(kafka, INDEXES_CHANGED, self._fold_record, fetch_bytes_min=1, wait_ms=POLL_MS)
        self._news = asyncio.Event()  # set and replaced at every change
        self._changes = 0

    def __len__(self) -> int:
        return len(self._plans)

    @property
    def ready(self) -> bool:
        """The topic has been read once."""
        return self._follower.ready

    @property
    def change_count(self) -> int:
        """Grows with every record that changed a plan."""
        return self._changes

    async def start(self) -> None:
        """Read what is there, at most 5 s; with the log out of reach it goes on trying in the background."""
        await self._follower.start()
        if not await self._follower.wait_ready(self._read_s_max):
            log.warning("index_plans_not_read", waited_s=self._read_s_max)

    async def stop(self) -> None:
        """Stop following; what is known stays."""
        await self._follower.stop()

    async def catch_up(self, partition: int, end: int) -> None:
        """Know what a partition has up to this offset; raises Unavailable("kafka_unavailable")."""
        await self._follower.catch_up(partition, end, self._read_s_max)

    async def wait_change(self, since: int, timeout_s: float) -> int:
        """``changes`` as soon as it is above ``since``, or after so long."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._changes <= since:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._changes

    def plan(self, tenant: str, knowledge_base: str) -> IndexPlan:
        """The plan of a knowledge base; the default one when nobody ever changed it.

        Raises Unavailable("kafka_unavailable") until the topic has been read once: a guess would search or fill the wrong build.
        """
        found = self._plans.get(plan_key(tenant, knowledge_base))
        if found is not None:
            return found[1]
        if not self.ready:
            raise Unavailable("kafka_unavailable", "the index plans have not been read yet")
        return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

    def plans(self) -> Iterable[IndexPlan]:
        """Every plan that was ever changed."""
        return [plan for _, plan in self._plans.values()]

    def fold(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take one record into account; of one key the highest offset stays."""
        name = (key or b"").decode(errors="replace")
        if name in self._plans and self._plans[name][0] >= offset:
            return
        if value is None:
            self._plans.pop(name, None)
            self._notify()
            return
        try:
            self.write_through(offset, self._decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("index_plan_undecodable", key=name, error=str(error))

    def write_through(self, offset: int, event: IndexPlanChanged) -> None:
        """A plan lies on the log at ``offset``: known to its writer before it is read back."""
        name = event.subject
        if name not in self._plans or self._plans[name][0] < offset:
            self._plans[name] = (offset, event.data)
            self._notify()

    def _notify(self) -> None:
        self._changes += 1
        self._news.set()
        self._news = asyncio.Event()

    def _fold_record(self, record: StoredRecord) -> None:
        self.fold(record.offset, record.key, record.value)
