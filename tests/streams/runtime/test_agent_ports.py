"""Agents of a process share what they ask for by the same factory, and everything attached has a life with the worker."""

import pytest
from prometheus_client import CollectorRegistry

from streams.clock import SystemClock
from streams.lifecycle import LifecycleStack
from streams.runtime.agent_ports import AgentPorts


class Store:
    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    async def start(self) -> None:
        self.calls.append("start store")

    async def stop(self) -> None:
        self.calls.append("stop store")


class Index:
    def __init__(self, store: Store) -> None:
        self.store, self.calls = store, store.calls

    async def start(self) -> None:
        self.calls.append("start index")

    async def stop(self) -> None:
        self.calls.append("stop index")


def store(ports: AgentPorts) -> Store:
    return ports.attach(Store([]))


def index(ports: AgentPorts) -> Index:
    return ports.attach(Index(ports.get(store)))


def nothing(ports: AgentPorts) -> None:
    assert not ports.lifecycles, "asked once"


@pytest.fixture
def ports(settings) -> AgentPorts:
    return AgentPorts(settings, None, None, SystemClock(), CollectorRegistry())  # type: ignore[arg-type]


async def test_what_is_asked_for_twice_is_one_and_has_one_life_after_what_it_needs(ports):
    first, second = ports.get(index), ports.get(index)
    assert first is second
    assert first.store is ports.get(store)
    parts = LifecycleStack(ports.lifecycles)
    await parts.start()
    await parts.stop()
    assert first.calls == ["start store", "start index", "stop index", "stop store"]


def test_a_part_that_is_not_there_is_asked_for_once(ports):
    ports.get(nothing)
    ports.get(store)
    ports.get(nothing)
