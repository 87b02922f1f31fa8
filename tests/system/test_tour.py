"""The commands of docs/tour.md, executed as they stand against the stack, with a second API process: they print what the page says."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from ops.stack.launch import PROJECT
from ops.stack.ports import free_port
from tests.system.conftest import Up

PAGE = (PROJECT / "docs" / "tour.md").read_text(encoding="utf-8")
STEP = re.compile(r"^```sh\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
PORTS = ("8001", "8097", "8098")  # of the second API process, of the pages, of the receiver
MARK = "=== the next step"
TOUR_S_MAX = 150.0


def steps() -> list[tuple[str, str]]:
    """Every block of commands, and what the page says that it prints."""
    found = STEP.findall(PAGE)
    assert len(found) == PAGE.count("```sh\n") > 5
    return found


def pattern_of(expected: str) -> re.Pattern[str]:
    """An ellipsis stands for anything."""
    return re.compile(".*".join(map(re.escape, expected.strip().split("…"))), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the commands are typed: the environment is where ``make up`` makes it."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


@pytest.mark.timeout(400)
async def test_every_command_of_the_tour_prints_what_the_page_says(up: Up, folder: Path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the tour is not executed")
    script = f"\necho '{MARK}'\n".join(commands for commands, _ in steps())
    taken: set[int] = set()
    for port in PORTS:
        taken.add(free := free_port(taken))
        script = script.replace(port, str(free))
    printed, errors, status = await run(script.replace("http://127.0.0.1:8000", up.url), folder, up)
    for (commands, expected), output in zip(steps(), printed.split(f"{MARK}\n"), strict=False):
        assert pattern_of(expected).fullmatch(output.strip()), f"{commands}\nprinted\n{output}\ninstead of\n{expected}\n{errors[-3_000:]}"
    assert (status, printed.count(MARK)) == (0, len(steps()) - 1), errors[-3_000:]


async def run(script: str, folder: Path, up: Up) -> tuple[str, str, int | None]:
    """What the shell printed, its errors and its status (None: it took too long); what it started ends with it."""
    printed, errors = folder / "printed", folder / "errors"
    with printed.open("wb") as out, errors.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            "sh", "-ec", script, cwd=folder, env=up.environ, start_new_session=True, stdout=out, stderr=err
        )
    try:
        async with asyncio.timeout(TOUR_S_MAX):
            await process.wait()
    except TimeoutError:
        pass  # what it printed so far says where
    finally:
        status = process.returncode
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return printed.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"), status
