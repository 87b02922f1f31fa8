"""Loopback is no wall: what another user of the machine gets from a running stack. Nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack.launch import PROJECT
from ops.stack.ports import LISTENING
from tests.system.conftest import Up

STRANGER = 54_321  # a user id that no account of this machine has; the kernel does not mind
OTHERS = 0o077


@pytest.fixture
def reachable(up: Up) -> Iterator[Path]:
    """The home folder, in folders that everybody may pass: nothing but its own mode protects it."""
    folders = [folder for folder in up.home.parents if not folder.stat().st_mode & 0o001]
    for folder in folders:
        folder.chmod(folder.stat().st_mode | 0o001)
    yield up.home
    for folder in folders:
        folder.chmod(folder.stat().st_mode & ~0o001)


def processes(up: Up) -> set[int]:
    """Every process of the stack, children of children too."""
    found = {up.state.supervisor.pid, *(part.pid for part in up.state.components.values())}
    parents = {int(each.parent.name): int(each.read_text().rpartition(")")[2].split()[1]) for each in Path("/proc").glob("[0-9]*/stat")}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(pids: set[int]) -> set[int]:
    """The TCP ports on which these processes listen."""
    sockets = {str(link.readlink()) for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets}


def test_another_user_gets_nothing(up: Up, reachable: Path) -> None:
    """Every port, socket, file and process of the stack is tried. (The user that tries is given no account and no group.)"""
    if os.getuid() != 0:
        pytest.skip("only root can become another user: NOT SHOWN HERE that other users of the machine are kept out")
    pids = processes(up)
    ports = listening(pids)
    assert len(ports) >= 8  # the API twice, four workers, Kafka twice
    paths = [reachable, *reachable.rglob("*")]
    assert {"credentials", "key", "kafka.log", "client.conf", "server.properties", "redis.conf"} <= {path.name for path in paths}
    tried = {"user": STRANGER, "ports": sorted(ports), "paths": [str(path) for path in paths], "pids": sorted(pids)}
    command = (sys.executable, "-m", "tests.support.stranger")
    done = subprocess.run(command, input=json.dumps(tried), capture_output=True, text=True, check=False, timeout=100, cwd=PROJECT)
    assert (done.stdout, done.returncode) == ("tried everything\n", 0), done.stderr


def test_everything_in_the_home_folder_is_its_owners_alone(up: Up) -> None:
    """By the modes of the files as well as of the folder above them; and a folder that was open before is narrowed."""
    assert [str(path) for path in (up.home, *up.home.rglob("*")) if not path.is_symlink() and path.stat().st_mode & OTHERS] == []


def test_no_command_line_has_a_secret(up: Up) -> None:
    secrets = [*json.loads((up.home / "credentials").read_text()).values(), up.settings["CLAW_AUTH_SECRET"], up.key]
    assert len(secrets) == 4
    assert all(len(each) >= 32 for each in secrets)
    for pid in processes(up):
        shown = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert shown
        assert not any(each in shown for each in secrets)
