"""The erasures that this worker goes on with when they are due. One that dies leaves them to the next, which does the round again."""

import secrets
from functools import partial

import structlog
from msgspec.structs import replace

from domain.eraser import progress
from domain.eraser.eraser import Eraser
from domain.erasures.records import ERASURES
from domain.erasures.settings import ErasureSettings
from domain.erasures.timing import set_timers
from domain.erasures.topics import ERASURES_CHANGED
from schemas import ids
from schemas.erasures import Erasure, ErasureChanged
from schemas.settings import Settings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.runtime.timer_loop import TimerLoop
from streams.runtime.timers import Timer, Timers, TimerSetting, ms_of
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

NAME = "erase"
CLAIMED_S = 5.0  # an erasure that is worked on is due again after this, should its process die; only the owner of its partition claims it
LOGGED_MAX = 10  # leftovers of one check; claw erasure check has more
RUNNING_MAX = 2  # each reads the whole log

log = structlog.get_logger(__name__)


class ErasureSchedule:
    """``timers`` are those of erasures. ``loop`` runs it."""

    def __init__(self, settings: Settings, eraser: Eraser, timers: Timers, tables: Tables, records: RecordWriter, clock: Clock) -> None:
        self._settings, self._eraser, self._timers = settings.of(ErasureSettings), eraser, timers
        self._erasures, self._records, self._clock = tables.of(ERASURES), records, clock
        self.loop = TimerLoop("eraser", self._take_over, self._serve)

    async def start(self) -> None:
        """Begin; returns at once."""
        await self.loop.start()

    async def stop(self) -> None:
        """Break off what is under way: it is done again elsewhere."""
        await self.loop.stop()

    async def add(self, erasure: Erasure, partition: int) -> None:
        """What the log says of an erasure. Raises Unavailable."""
        await set_timers(self._timers, [(erasure, partition)])
        self.loop.wake()

    async def advance(self, erasure: Erasure) -> Erasure:
        """The erasure after its next piece of work. Raises Unavailable: the piece is done again."""
        if erasure.state == "accepted":
            await self._eraser.shut(erasure)
            found = replace(erasure, knowledge_base_ids=await self._eraser.find_bases(erasure))
            return progress.begin(found, (await self._eraser.check(found)).places, self._clock.now())
        bases = await self._eraser.find_bases(erasure)
        if bases != erasure.knowledge_base_ids:  # one was created while the erasure was accepted
            return replace(erasure, knowledge_base_ids=bases, next_at=self._clock.now(), revision=erasure.revision + 1)
        done = await self._eraser.run_round(erasure)
        after = progress.add_round(erasure, done.removed, done.pending, self._clock.now(), self._settings)
        if after.next_at is not None:
            return after
        check = await self._eraser.check(after)
        for leftover in check.leftovers[:LOGGED_MAX]:
            log.warning("erasure_leftover", erasure=erasure.id, place=leftover.place, where=leftover.where)
        return progress.add_check(after, check.places, self._clock.now(), self._settings)

    async def _take_over(self, partition: int) -> int:
        return await self._timers.take_over(partition, self._now_ms())

    async def _serve(self, partition: int, token: int) -> int:
        free = RUNNING_MAX - self.loop.under_way
        if free <= 0:
            return 0
        now_ms = self._now_ms()
        due = await self._timers.claim(partition, token, before_ms=now_ms + 1, again_at_ms=now_ms + int(CLAIMED_S * 1000), limit=free)
        for timer in due:
            self.loop.begin(timer.id, partial(self._work, timer))
        return len(due)

    async def _work(self, timer: Timer) -> None:
        """One piece of work. Raises Unavailable: it is due again."""
        erasure = await self._erasures.get(timer.id, timer.id)
        if erasure is not None and erasure.next_at is not None and erasure.next_at <= self._clock.now():
            after = await self.advance(erasure)
            async with self._records.lease(f"erasure/{erasure.id}"):
                present = await self._erasures.get(timer.id, timer.id)
                if present is not None and present.revision == erasure.revision:  # else another worker has come further
                    await self._records.change(Outgoing(ERASURES_CHANGED, self._event(after)))
                    erasure = after
                    log.info("erasure_advanced", erasure=erasure.id, state=erasure.state, rounds=erasure.rounds, removed=erasure.removed)
                else:
                    erasure = present
        if erasure is None or erasure.next_at is None:
            await self._timers.set_many([TimerSetting(timer.partition, timer.id, None)])
        else:
            await set_timers(self._timers, [(erasure, timer.partition)])

    def _event(self, erasure: Erasure) -> ErasureChanged:
        return ErasureChanged(
            id=ids.derive("erasure", erasure.id, erasure.revision),
            source=f"/claw/{NAME}",
            subject=erasure.id,
            time=self._clock.now(),
            tenant=erasure.tenant,
            traceparent=new_traceparent(secrets.token_bytes),
            data=erasure,
        )

    def _now_ms(self) -> int:
        return ms_of(self._clock.now())
