"""Faults are injected as planned, healed whatever happens, and written down with their recovery."""

import asyncio
import io
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ops.faults.history import HistoryRecorder, InjectedFault
from ops.faults.nemesis import Nemesis
from ops.faults.plan import FaultGroup, FaultStep


class Standin:
    """A stack and a provider that write down what is done to them."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def process(self, part: str) -> str:
        return f"process of {part}"

    def signal(self, process: str, number: signal.Signals) -> bool:
        self.done.append((process, number))
        return True

    async def successor(self, part: str, before: str, timeout_s: float) -> None:
        await asyncio.sleep(0.02)
        self.done.append(("successor", part))

    async def kill(self) -> None:
        self.done.append(("kill",))

    async def start(self) -> None:
        await asyncio.sleep(0.02)
        self.done.append(("start",))

    @asynccontextmanager
    async def second_worker(self, group: str) -> AsyncIterator[None]:
        self.done.append(("join", group))
        yield
        self.done.append(("leave", group))

    async def behave(self, fault: str = "") -> None:
        self.done.append(("behave", fault))

    async def recover(self, number: int) -> tuple[float | None, float | None]:
        self.done.append(("probe", number))
        return 1.5, None


@pytest.fixture
def standin() -> Standin:
    return Standin()


@pytest.fixture
def nemesis(standin: Standin) -> Nemesis:
    double: Any = standin
    return Nemesis(double, double, double, HistoryRecorder(io.BytesIO()), lambda _: None)


def single(kind: Any, target: str, hold_s: float = 0.01) -> FaultGroup:
    return FaultGroup(4, 0.0, (FaultStep(kind, target, hold_s),))


@pytest.mark.parametrize(
    ("group", "done"),
    [
        (single("kill", "chat"), [("process of chat", signal.SIGKILL), ("probe", 4), ("successor", "chat")]),
        (single("kill", "up"), [("kill",), ("probe", 4), ("start",)]),
        (single("pause", "redis"), [("process of redis", signal.SIGSTOP), ("process of redis", signal.SIGCONT), ("probe", 4)]),
        (single("provider", "429"), [("behave", "429"), ("behave", ""), ("probe", 4)]),
        (single("add", "chat"), [("join", "chat"), ("leave", "chat"), ("probe", 4)]),
    ],
    ids=lambda each: each.steps[0].kind + each.steps[0].target if isinstance(each, FaultGroup) else "",
)
async def test_each_fault_is_injected_healed_and_probed(nemesis: Nemesis, standin: Standin, group: FaultGroup, done: Any) -> None:
    await nemesis.inflict(group)
    assert standin.done == done
    (fault,) = nemesis.recorder.history.faults
    assert (fault.number, fault.kind, fault.question_s, fault.document_s) == (4, group.steps[0].kind, 1.5, None)
    assert fault.begin <= fault.end <= fault.down_until


async def test_a_pair_overlaps_and_has_one_recovery(nemesis: Nemesis, standin: Standin) -> None:
    steps = (FaultStep("pause", "kafka", 0.1), FaultStep("provider", "slow", 0.01, after_s=0.02))
    told: list[list[InjectedFault]] = []
    nemesis.report = told.append
    await nemesis.inflict(FaultGroup(1, 0.0, steps))
    assert [each[0] for each in standin.done] == ["process of kafka", "behave", "behave", "process of kafka", "probe"]
    faults = nemesis.recorder.history.faults
    assert told == [faults]
    assert {(fault.number, fault.question_s) for fault in faults} == {(1, 1.5)}
    assert faults[0].begin < faults[1].begin < faults[1].end < faults[0].end


@pytest.mark.parametrize("group", [single("pause", "api", 60), single("provider", "500", 60)], ids=["pause", "provider"])
async def test_a_run_that_is_cut_off_heals(nemesis: Nemesis, standin: Standin, group: FaultGroup) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await nemesis.inflict(group)
    assert standin.done[-1] in [("process of api", signal.SIGCONT), ("behave", "")]


async def test_no_group_begins_after_the_end(nemesis: Nemesis, standin: Standin) -> None:
    await nemesis.run([single("add", "chat")], until=nemesis.recorder.now() - 1)
    assert standin.done == []
