"""The keeper by a clock that the test moves: when a stage ends by itself, and that its end is told once."""

from datetime import timedelta
from typing import Any

import msgspec

from domain.areas import CONFIG_KEYS
from domain.config_keys import ConfigKey
from domain.configs.reports import ProcessReport
from domain.configs.stage_keeper import LOST_S, StageKeeper
from domain.configs.stages import GuardReading, Totals, hash_of
from schemas.configs import Config, MetricSelector, Stage, StageEnd, StageGuard, StageOutcome
from tests.support.configured_process import NOW

KEY = next(key for key in CONFIG_KEYS if key.name == "model.temperature")
GUARD = StageGuard(metric=MetricSelector(name="m"), worsening=0.5, baseline="before", observations_min=10)


class Keeping:
    """Stands in for the editor, Redis and the clock."""

    def __init__(self, stage: Stage) -> None:
        self.live, self.reports, self.now_at = self, self, NOW
        self.keys = {KEY.name: KEY}
        self.present = Config(key=KEY.name, value=0.5, revision=1, changed_at=NOW, changed_by="ada", stage=stage)
        self.running: list[ProcessReport] = []
        self.told: list[Config] = []
        self.stored: dict[str, bytes] = {}
        self.keeper = StageKeeper(self, self, "p", self, self.announce, holder="h")  # type: ignore[arg-type]

    def config(self, key: ConfigKey) -> Config:
        assert key is KEY
        return self.present

    def now(self) -> Any:
        return self.now_at

    async def list(self) -> list[ProcessReport]:
        return self.running

    async def execute_command(self, command: str, name: str, *arguments: Any) -> Any:
        if command == "SET":
            return self.stored.setdefault(name, arguments[0])
        return self.stored.get(name)

    async def announce(self, config: Config) -> None:
        self.told.append(config)

    async def end_stage(self, name: str, outcome: StageOutcome, *, by: str, reason: str, stage_id: str, figures: Any) -> Config:
        assert self.present.stage is not None
        end = StageEnd(id=stage_id, outcome=outcome, automatic=True, figures=figures)
        value = self.present.stage.value if outcome == "promoted" else self.present.value
        self.present = Config(key=name, value=value, revision=2, changed_at=self.now_at, changed_by=by, reason=reason, stage_end=end)
        return self.present

    async def move_stage(self, name: str, stage: Stage, *, by: str, reason: str) -> Config:
        self.present = msgspec.structs.replace(self.present, revision=self.present.revision + 1, stage=stage)
        return self.present

    def run(self, process_id: str, total: float = 0, count: float = 0, before: float = 0) -> None:
        """A process of the share, and what its metric was: of ``count`` observations in the window, and of 10 before it."""
        reading = GuardReading(
            stage="s",
            staged=True,
            window=Totals(total=total, weight=count, observations=count),
            before=Totals(total=before, weight=10, observations=10 if before else 0),
        )
        self.running = [ProcessReport(id=process_id, component="chat", started_at=NOW, readings={KEY.name: reading})]


def stage(**fields: Any) -> Stage:
    defaults: dict[str, Any] = {"id": "s", "value": 1.5, "started_at": NOW, "share": 1.0, "guard": GUARD}
    return Stage(**(defaults | fields))


async def test_a_stage_without_a_guard_is_promoted_when_its_time_is_up_and_told_once() -> None:
    keeping = Keeping(stage(guard=None, ends_at=NOW + timedelta(seconds=60)))
    keeping.run("1")
    assert await keeping.keeper.run_once() == 1
    assert keeping.present.value == 0.5
    keeping.now_at += timedelta(seconds=60)
    for _ in range(3):
        await keeping.keeper.run_once()
    assert (keeping.present.value, keeping.present.stage, len(keeping.told)) == (1.5, None, 1)
    other = StageKeeper(keeping, keeping, "p", keeping, keeping.announce, holder="other")  # type: ignore[arg-type]
    await other.run_once()
    assert len(keeping.told) == 1


async def test_a_guard_remembers_the_time_before_when_the_processes_of_it_are_gone() -> None:
    """And a stage whose guard cannot judge yet is not promoted, however late it is."""
    keeping = Keeping(stage(ends_at=NOW))
    keeping.run("1", before=10)
    keeping.now_at += timedelta(days=1)
    await keeping.keeper.run_once()
    assert keeping.present.stage is not None
    keeping.run("2", total=16, count=10)  # restarted: it has no time before, and is 1.6 times as slow
    await keeping.keeper.run_once()
    assert (keeping.present.value, keeping.present.stage_end and keeping.present.stage_end.outcome) == (0.5, "rolled_back")
    assert keeping.present.reason == "m was 1.6 with the staged value (10 observations); at most 1.5 is allowed, it was 1 before"


async def test_a_guard_that_finds_nothing_worse_lets_the_stage_be_promoted() -> None:
    keeping = Keeping(stage(ends_at=NOW))
    keeping.run("1", total=14, count=10, before=10)
    await keeping.keeper.run_once()
    assert keeping.present.stage_end is not None
    assert (keeping.present.value, keeping.present.stage_end.outcome) == (1.5, "promoted")


async def test_a_share_whose_processes_are_gone_gets_others_after_a_while() -> None:
    salt = next(each for each in range(99) if not _chooses(each, "1"))
    keeping = Keeping(stage(share=0.5, salt=salt))
    keeping.run("1")
    await keeping.keeper.run_once()
    keeping.now_at += timedelta(seconds=LOST_S)
    await keeping.keeper.run_once()
    assert keeping.present.stage is not None
    assert _chooses(keeping.present.stage.salt, "1")


def _chooses(salt: int, process_id: str) -> bool:
    return hash_of("s", salt, process_id) < 0.5


async def test_an_end_of_long_ago_is_no_news() -> None:
    keeping = Keeping(stage(guard=None, ends_at=NOW))
    keeping.run("1")
    end = StageEnd(id="s", outcome="promoted", automatic=True)
    keeping.present = Config(key=KEY.name, value=1.5, revision=2, changed_at=NOW, changed_by="guard", stage_end=end)
    keeping.now_at += timedelta(hours=2)
    await keeping.keeper.run_once()
    assert keeping.told == []
