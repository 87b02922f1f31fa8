"""The user of the product may do what its scripts do: one that is not allowed would fail only where it runs."""

import re

from adapters.redis.commands import COMMANDS
from tests.structure import PACKAGES, ROOT

CALL = re.compile(r"""redis\.p?call\(\s*['"]([A-Za-z]+)['"]""")


def test_every_command_of_every_script_is_allowed():
    sources = {path: path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    called = {f"{command.lower()} in {path.name}" for path, text in sources.items() for command in CALL.findall(text)}
    assert len(called) > 50
    assert {each for each in called if each.split()[0] not in COMMANDS} == set()


def test_nothing_that_configures_the_server_is_allowed():
    allowed = {command.partition("|")[0] for command in COMMANDS}
    assert not allowed & {"config", "module", "debug", "shutdown", "acl", "keys", "flushall", "flushdb", "monitor", "replicaof", "slaveof"}
    assert not allowed & {"migrate", "restore", "function", "save", "bgsave", "bgrewriteaof", "script", "cluster", "failover", "latency"}
