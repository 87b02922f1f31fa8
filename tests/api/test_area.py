"""Ports while they are built: one start for all, and the way back in reverse."""

from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from api.area import Opening, OpenPorts


class Part:
    def __init__(self, name: str, log: list[str], *, breaks: bool = False) -> None:
        self.name, self.log, self.breaks = name, log, breaks

    async def start(self) -> None:
        self.log.append(f"start {self.name}")
        if self.breaks:
            raise RuntimeError(self.name)

    async def stop(self) -> None:
        self.log.append(f"stop {self.name}")


async def open_parts(log: list[str], *, breaks: bool = False) -> None:
    async with AsyncExitStack() as stack:
        opening = Opening(cast("Any", "the core"), stack)
        opening.run(Part("a", log))
        opening.stop_with(Part("b", log).stop)
        opening.run(Part("c", log, breaks=breaks))
        await opening.start()
        log.append("open")


async def test_parts_start_together_and_stop_in_reverse():
    log: list[str] = []
    await open_parts(log)
    assert log == ["start a", "start c", "open", "stop c", "stop b", "stop a"]


async def test_a_part_that_does_not_start_stops_all():
    log: list[str] = []
    with pytest.raises(RuntimeError, match="c"):
        await open_parts(log, breaks=True)
    assert log == ["start a", "start c", "stop c", "stop b", "stop a"]


def test_ports_are_found_by_their_type():
    ports = OpenPorts()
    ports.add("text")
    ports.add(7)
    assert (ports(str), ports(int)) == ("text", 7)
    with pytest.raises(KeyError):
        ports(float)
