"""The lock of the broker's jars, without the network."""

import hashlib
import tomllib
from pathlib import Path

from ops.stack import jars


def test_the_lock_pins_what_the_specification_asks_for():
    specification = tomllib.loads((jars.LOCK.parent / "jgo.toml").read_text())
    pinned = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars.read_lock()}
    assert set(specification["dependencies"]["coordinates"]) <= pinned
    assert all(len(jar.sha256) == 64 for jar in jars.read_lock())
    assert "://" not in jars.LOCK.read_text(), "where jars come from is the machine's affair"
    assert jars.kafka_version() == "4.1.1"


def test_a_jar_counts_only_when_it_is_the_locked_one(tmp_path: Path):
    jar = jars.Jar("org.example", "thing", "1.0", hashlib.sha256(b"right").hexdigest())
    path = jar.path(tmp_path)
    assert path == tmp_path / "org/example/thing/1.0/thing-1.0.jar"
    assert not jar.is_intact(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut off")
    assert not jar.is_intact(tmp_path)
    path.write_bytes(b"right")
    assert jar.is_intact(tmp_path)
