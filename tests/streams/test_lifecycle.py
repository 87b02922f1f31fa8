"""Lifecycles: started in order, stopped in reverse, whatever fails."""

from dataclasses import dataclass, field

import pytest

from streams.lifecycle import LifecycleStack


@dataclass
class Part:
    name: str
    calls: list[str]
    fails: set[str] = field(default_factory=set)

    async def start(self) -> None:
        self._call("start")

    async def stop(self) -> None:
        self._call("stop")

    def _call(self, verb: str) -> None:
        self.calls.append(f"{verb} {self.name}")
        if verb in self.fails:
            raise OSError(self.name)


async def test_parts_start_in_order_and_stop_in_reverse():
    calls: list[str] = []
    stack = LifecycleStack([Part("a", calls), Part("b", calls), Part("c", calls)])
    await stack.start()
    await stack.stop()
    assert calls == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    await stack.stop()
    assert len(calls) == 6, "a second stop does nothing"


async def test_what_was_started_is_stopped_when_a_later_part_fails_to_start():
    calls: list[str] = []
    stack = LifecycleStack([Part("a", calls), Part("b", calls, {"start"}), Part("c", calls)])
    with pytest.raises(OSError, match="b"):
        await stack.start()
    await stack.stop()
    assert calls == ["start a", "start b", "stop a"]


async def test_a_part_that_fails_to_stop_does_not_keep_the_others():
    calls: list[str] = []
    stack = LifecycleStack([Part("a", calls), Part("b", calls, {"stop"})])
    await stack.start()
    with pytest.raises(OSError, match="b"):
        await stack.stop()
    assert calls[-1] == "stop a"
