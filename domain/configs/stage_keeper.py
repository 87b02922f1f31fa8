"""Ends staged changes: rolls one back whose guard finds it worse, and promotes one whose time is up.

One process works at a time, under a lease in Redis. It judges by the reports of the processes alone, so that another one goes on where it
stopped. That a stage ends once does not rest on the lease: an end is a compare-and-set on the key's revision.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from adapters.redis.client import RedisClient
from domain.config_keys import ConfigKey
from domain.configs.editor import ConfigEditor
from domain.configs.reports import ProcessReport
from domain.configs.stage_plans import staged_processes
from domain.configs.stages import GuardState, Totals, find_salt, judge
from schemas.configs import Config, Stage, StageOutcome
from schemas.errors import Refused
from streams.clock import Clock
from streams.leader import LeaderLoop

BY = "guard"  # who changed the key, in its history
EVERY_S, IDLE_S = 1.0, 2.0  # between two rounds, with a stage and without
LEASE_S = 15.0
ANNOUNCED_AGE_MAX = timedelta(hours=1)  # of an end that a new owner announces, should the one before have died with it in hand
REMEMBERED_S = 30 * 86_400  # what the metric was before a stage
LOST_S = 30.0  # without any process of its share a stage gets others

log = structlog.get_logger(__name__)

Announce = Callable[[Config], Awaitable[None]]
"""Tells people of the automatic end of a stage; ids follow from the stage, so a repeat tells nothing new."""


class StageBaselines:
    """What a metric was before a stage began, from when it is first known: the processes that measured it may end. Raises Unavailable."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, f"{prefix}:configs:stages"

    async def read(self, stage: Stage) -> Totals | None:
        """None while it is not known."""
        found = await self._redis.execute_command("GET", f"{self._prefix}:{stage.id}:before")
        return None if found is None else msgspec.json.decode(found, type=Totals)

    async def save(self, stage: Stage, before: Totals) -> None:
        """The first one stays."""
        await self._redis.execute_command("SET", f"{self._prefix}:{stage.id}:before", msgspec.json.encode(before), "NX", "EX", REMEMBERED_S)

    async def mark_announced(self, stage_id: str) -> None:
        """The end of this stage was announced."""
        await self._redis.execute_command("SET", f"{self._prefix}:{stage_id}:announced", b"1", "EX", REMEMBERED_S)

    async def is_announced(self, stage_id: str) -> bool:
        """Whether it was."""
        return await self._redis.execute_command("GET", f"{self._prefix}:{stage_id}:announced") is not None


class StageKeeper:
    """``run_once()`` is one round; ``start()`` repeats it until ``stop()``."""

    def __init__(self, editor: ConfigEditor, redis: RedisClient, prefix: str, clock: Clock, announce: Announce, *, holder: str) -> None:
        self._editor, self._clock, self._announce = editor, clock, announce
        self._baselines = StageBaselines(redis, prefix)
        self._announced: set[str] = set()
        self._lost_since: dict[str, datetime] = {}  # by stage: when no process of its share was left
        lease = f"{prefix}:configs:stage-keeper"
        self._rounds = LeaderLoop(
            redis, lease, self._round, name="config_stages", holder=holder, lease_s=LEASE_S, every_s=IDLE_S, retry_s=IDLE_S
        )

    async def start(self) -> None:
        """Begin the rounds; returns at once."""
        await self._rounds.start()

    async def stop(self) -> None:
        """Stop, and let another process take over at once."""
        await self._rounds.stop()

    async def _round(self) -> float:
        return EVERY_S if await self.run_once() else IDLE_S

    async def run_once(self) -> int:
        """One round; returns how many stages there are. Raises Unavailable."""
        staged = [
            (key, config)
            for key in self._editor.live.keys.values()
            if (config := self._editor.config(key)) is not None and (config.stage is not None or config.stage_end is not None)
        ]
        reports = await self._editor.reports.list() if any(config.stage for _, config in staged) else []
        for key, config in staged:
            ended = config if config.stage is None else await self._judge(key, config.stage, reports)
            if ended is not None:
                await self._announce_once(ended)
        return sum(config.stage is not None for _, config in staged)

    async def state(self, key: ConfigKey, stage: Stage, reports: Sequence[ProcessReport]) -> GuardState | None:
        """The guard's judgement by these reports; None without a guard. Raises Unavailable."""
        guard = stage.guard
        if guard is None:
            return None
        readings = [reading for report in reports if (reading := report.readings.get(key.name)) and reading.stage == stage.id]
        if guard.baseline == "unstaged" or guard.worsening is None:
            return judge(guard, readings)
        before = await self._baselines.read(stage)
        state = judge(guard, readings, before)
        if before is None and state.baseline.observations >= guard.observations_min:
            await self._baselines.save(stage, state.baseline)
        return state

    async def _judge(self, key: ConfigKey, stage: Stage, reports: Sequence[ProcessReport]) -> Config | None:
        """The revision that ended the stage, if it is to end."""
        state, now = await self.state(key, stage, reports), self._clock.now()
        if state is not None and state.verdict == "worse":
            return await self._end(key, stage, "rolled_back", describe(stage, state), state)
        if stage.ends_at is not None and now >= stage.ends_at and (state is None or state.verdict == "fine"):
            reason = "the time of the stage was up" + ("" if state is None else f", and {describe(stage, state)}")
            return await self._end(key, stage, "promoted", reason, state)
        await self._move(key, stage, reports, now)
        return None

    async def _end(self, key: ConfigKey, stage: Stage, outcome: StageOutcome, reason: str, state: GuardState | None) -> Config | None:
        figures = {} if state is None else state.figures
        try:
            config = await self._editor.end_stage(key.name, outcome, by=BY, reason=reason, stage_id=stage.id, figures=figures)
        except Refused as error:  # somebody ended it first, or the value breaks a rule by now
            log.info("config_stage_not_ended", key=key.name, stage=stage.id, outcome=outcome, code=error.code)
            return None
        log.warning("config_stage_ended", key=key.name, stage=stage.id, outcome=outcome, reason=reason)
        return config

    async def _move(self, key: ConfigKey, stage: Stage, reports: Sequence[ProcessReport], now: datetime) -> None:
        """Processes that ended have others in their place, with other hashes: a share that has none left gets some again."""
        ids = [report.id for report in reports if stage.guard is None or key.name in report.readings]
        if stage.share is None or not ids or staged_processes(stage, [report for report in reports if report.id in ids]):
            self._lost_since.pop(stage.id, None)
            return
        if now - self._lost_since.setdefault(stage.id, now) >= timedelta(seconds=LOST_S):
            self._lost_since.pop(stage.id)
            moved = msgspec.structs.replace(stage, salt=find_salt(stage.id, stage.share, ids))
            await self._editor.move_stage(key.name, moved, by=BY, reason="no process of the share was left: others have the value now")

    async def _announce_once(self, config: Config) -> None:
        end = config.stage_end
        if end is None or not end.automatic or end.id in self._announced or self._clock.now() - config.changed_at > ANNOUNCED_AGE_MAX:
            return
        if not await self._baselines.is_announced(end.id):
            await self._announce(config)
            await self._baselines.mark_announced(end.id)
        self._announced.add(end.id)


def describe(stage: Stage, state: GuardState) -> str:
    """The figures in a sentence, such as ``claw_http_seconds was 0.2 with the staged value (31 observations); at most 0.1 is allowed``."""
    assert stage.guard is not None
    figures, bound = state.figures, "at most" if stage.guard.worse == "higher" else "at least"
    per = "" if stage.guard.per is None else f" per {stage.guard.per.name}"
    text = f"{stage.guard.metric.name}{per} was {figures.get('staged', 0):g} with the staged value"
    text += f" ({state.staged.observations:g} observations); {bound} {figures.get('limit', 0):g} is allowed"
    if stage.guard.worsening is not None and "baseline" in figures:
        where = "elsewhere" if stage.guard.baseline == "unstaged" else "before"
        text += f", it was {figures['baseline']:g} {where}"
    return text
