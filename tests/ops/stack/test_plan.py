"""A command finds the servers of its stack."""

import os
import sys
from pathlib import Path

import pytest

from ops.stack.plan import plan
from schemas.settings import KafkaSettings, NodeSettings, RedisSettings, Settings


def test_the_command_finds_the_servers_of_its_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a home elsewhere it names the home; servers of somebody else are known to whoever named them."""
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / ".venv" / "bin" / "claw"), "up"])
    made = plan(Settings(node=NodeSettings(home=tmp_path, port=0), kafka=KafkaSettings(port=0), redis=RedisSettings(port=0)), os.environ)
    assert made.kafka is not None
    assert made.redis is not None
    assert made.command == f"CLAW_HOME={tmp_path} .venv/bin/claw"
    given = Settings(
        node=NodeSettings(home=tmp_path, port=0), kafka=KafkaSettings(bootstrap="k:9092"), redis=RedisSettings(url="redis://:secret@r/0")
    )
    assert plan(given, os.environ).command == ".venv/bin/claw"
    monkeypatch.setattr(sys, "argv", ["/somewhere/ops/cli.py"])
    assert plan(given, os.environ).command == "claw"
