"""What the command line asks for."""

import subprocess
import sys

import pytest

from ops.cli import main
from ops.faults import command
from ops.faults.history import HistoryRecorder
from ops.stack.launch import PROJECT
from schemas.errors import ConfigurationError
from tests.support.fault_histories import true_history


def chosen(minutes: float, tasks: int | None = None):
    return command.run(seed=1, minutes=minutes, out="", redis_loss=False, check="", tasks=tasks)


@pytest.mark.parametrize("minutes", [0.0, -1.0, 121.0, float("nan")])
def test_minutes_are_bounded(minutes):
    with pytest.raises(ConfigurationError, match=r"--minutes: .* is not a number from 0.2 to 120"):
        chosen(minutes)


@pytest.mark.parametrize("tasks", [0, 9, 10_001])
def test_tasks_are_bounded(tasks):
    with pytest.raises(ConfigurationError, match=r"--tasks: .* is not a number from 10 to 10,000"):
        chosen(1.0, tasks)


def test_a_recorded_history_is_checked_again(tmp_path, capsys):
    path = tmp_path / "history.jsonl"
    history = true_history(4)
    history.topics[:] = [each for each in history.topics if each.type != "usage.recorded"]
    with path.open("wb") as file:
        recorder = HistoryRecorder(file)
        for record in history:
            recorder.add(record)
    assert main(["faults", "--check", str(path)]) == 1
    assert "VIOLATION charged_once" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "why"), [(None, "cannot be read"), ("{}\n", "is no history")])
def test_a_file_that_is_no_history_is_refused(tmp_path, capsys, text, why):
    path = tmp_path / "history.jsonl"
    if text is not None:
        path.write_text(text)
    assert main(["faults", "--check", str(path)]) == 2
    assert why in capsys.readouterr().err


def test_neither_tests_nor_benchmarks_are_imported():
    """And the command line imports nothing of it before it is asked for."""
    code = (
        "import sys, ops.cli; assert not [n for n in sys.modules if n.startswith('ops.faults')]; import ops.faults.command; "
        "print(sorted({n.partition('.')[0] for n in sys.modules} & {'tests', 'benchmarks', 'pytest', 'hypothesis', 'faust'}))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert printed.stdout.strip() == "[]"
