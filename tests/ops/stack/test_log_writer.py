"""What goes through the writer of the logs: all of it, in order, in files of bounded size."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.stack.log_writer import RotatingLog

LINE = st.binary(max_size=30).map(lambda each: each.replace(b"\n", b"") + b"\n")


def files(path: Path) -> list[bytes]:
    """The contents of the files, the oldest first."""
    older = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: -int(each.suffix[1:]))
    return [each.read_bytes() for each in (*older, path) if each.exists()]


@given(st.lists(st.binary(max_size=90) | LINE, max_size=30), st.binary(max_size=60))
def test_every_byte_is_kept_in_order_in_files_of_bounded_size(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], before: bytes):
    """However it is cut by the pipe, and whatever was in the file before."""
    found = written(tmp_path_factory, parts, before)
    assert b"".join(found) == before + b"".join(parts)
    assert all(len(each) <= 50 for each in found[1:])


@given(st.lists(st.lists(LINE, max_size=4).map(b"".join), max_size=30))
def test_lines_that_arrive_whole_are_in_one_file(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]):
    assert all(each.endswith(b"\n") for each in written(tmp_path_factory, parts) if each)


def written(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], before: bytes = b"") -> list[bytes]:
    """The files of at most 50 bytes."""
    path = tmp_path_factory.mktemp("logs") / "api.log"
    path.write_bytes(before)
    log = RotatingLog(path, 50, 1_000)
    for part in parts:
        log.write(part)
    log.close()
    return files(path)


def test_so_many_full_files_are_kept(tmp_path: Path):
    """The oldest go, also those that a smaller limit leaves."""
    path = tmp_path / "api.log"
    (tmp_path / "api.log.7").write_bytes(b"old\n")
    log = RotatingLog(path, 10, 2)
    for number in range(10):
        log.write(b"line %04d\n" % number)
    log.close()
    assert files(path) == [b"line 0007\n", b"line 0008\n", b"line 0009\n"]


def test_a_full_disk_loses_lines_and_the_log_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The part that prints goes on."""
    log, write, full = RotatingLog(tmp_path / "api.log", 1_000, 1), os.write, True

    def refused(file: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr("ops.stack.log_writer.os.write", refused)
    log.write(b"lost\n")
    log.write(b"lost too\n")
    full = False
    log.write(b"here\n")
    log.close()
    assert files(tmp_path / "api.log") == [b"claw: 14 bytes of this log could not be written\nhere\n"]


def test_files_that_cannot_be_renamed_are_written_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = RotatingLog(tmp_path / "api.log", 10, 1)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError()))
    for number in range(3):
        log.write(b"line %04d\n" % number)
    log.close()
    assert files(tmp_path / "api.log") == [b"line 0000\nline 0001\nline 0002\n"]
