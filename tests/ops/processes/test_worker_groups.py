"""Worker groups: every agent is listed, builds itself, and shares what belongs to the process."""

import importlib
import pkgutil
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

import agents
from adapters.redis.client import connect
from domain.areas import TOPICS, all_topics
from ops.processes.worker_groups import AGENTS, GROUPS, build_worker_group
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.worker_group import WorkerGroup

STATISTICS = [f"count_statistics_{name}" for name in ("usage", "feedback", "documents", "accounts")]
NAMES = {
    "knowledge": ["retrieve", "lookup", "index"],
    "chat": ["generate", "digest", "send_mail"],
    "documents": ["parse_express", "parse_bulk", "parse_slow", "embed", "deliver", "run_jobs", "erase"],
    "tables": ["admit", "route", "project", "track", "meter", "tally", *STATISTICS, "notify", "notify_dead_letters", "schedule"],
}


def build(name: str, tmp_path: Any) -> tuple[WorkerGroup, AgentPorts]:
    settings = Settings.from_env({"CLAW_HOME": str(tmp_path), "CLAW_AUTH_SECRET": "s" * 40})
    ports = AgentPorts(settings, connect(settings.redis), KafkaPublisher(settings.kafka, topics=TOPICS), SystemClock(), CollectorRegistry())
    return build_worker_group(name, ports), ports


def test_every_agent_of_the_package_is_listed():
    modules = {f"agents.{module.name}" for module in pkgutil.iter_modules(agents.__path__)}
    assert {module.__name__ for module in AGENTS} == modules  # type: ignore[attr-defined]
    assert {module.WORKER_GROUP for module in AGENTS} == set(GROUPS)
    assert all(callable(importlib.import_module(name).build) for name in modules)


@pytest.mark.parametrize("name", NAMES)
async def test_a_group_has_its_agents_under_their_names_on_the_wire(name, tmp_path):
    group, _ = build(name, tmp_path)
    assert [agent.name for agent in group.agents] == NAMES[name]
    assert group.name == name


async def test_topics_name_the_agents_that_read_them(tmp_path):
    """Beside them ``api``, ``worker`` and ``rebuild``, for what a process follows without an agent."""
    agents_of: dict[str, set[str]] = {topic.name: set() for topic in all_topics(("default",))}
    for name in NAMES:
        for agent in build(name, tmp_path)[0].agents:
            for topic in agent.reads:
                agents_of[topic.name].add(agent.name)
    others = {"api", "worker", "rebuild"}
    assert {topic.name: set(topic.readers) - others for topic in all_topics(("default",))} == agents_of


@pytest.mark.parametrize("name", NAMES)
async def test_nothing_has_two_lives_in_a_process(name, tmp_path):
    _, ports = build(name, tmp_path)
    parts = ports.lifecycles
    assert len(parts) == len({id(part) for part in parts})
    kinds = [type(part).__name__ for part in parts]
    assert sorted(kinds) == sorted(set(kinds)), "agents share one instance of each kind"


async def test_a_group_that_does_not_exist_is_refused_with_those_that_do(tmp_path):
    with pytest.raises(ConfigurationError, match="no lane 'tabels': the lanes are knowledge, chat, documents, tables"):
        build("tabels", tmp_path)
