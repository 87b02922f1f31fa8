"""What a restore refuses before anything is started or written."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from ops.backup.archive import create_archive
from ops.backup.errors import BackupDamaged
from ops.commands import restore
from schemas.errors import ConfigurationError
from schemas.settings import NodeSettings, Settings
from tests.support.backups import backup_of

SECRET = b"s" * 64


def make(path: Path) -> None:
    """A backup with a signing secret and nothing else."""
    with create_archive(path) as archive:
        with archive.file("secrets/secret") as file:
            file.write(SECRET)
        archive.finish(replace(backup_of([], 0), secrets=(file.describe("secrets/secret"),)))


def dry_run(home: Path, path: Path, *, as_json: bool = True) -> int:
    return asyncio.run(restore.run(Settings(node=NodeSettings(home=home)), path, environ={}, dry_run=True, as_json=as_json))


def test_the_secret_of_another_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not overwritten; the same one is no obstacle, and a dry run leaves no home folder."""
    make(tmp_path / "b.tar")
    home = tmp_path / "home"
    assert dry_run(home, tmp_path / "b.tar") == 0
    assert '"dry_run":true' in capsys.readouterr().out
    assert not home.exists()
    home.mkdir()
    (home / "secret").write_bytes(b"another")
    with pytest.raises(ConfigurationError, match="not the one of the backup"):
        dry_run(home, tmp_path / "b.tar")
    (home / "secret").write_bytes(SECRET)
    assert dry_run(home, tmp_path / "b.tar", as_json=False) == 0
    assert "nothing was changed" in capsys.readouterr().out


def test_a_secret_that_was_changed(tmp_path: Path) -> None:
    make(tmp_path / "b")
    (tmp_path / "b" / "secrets" / "secret").write_bytes(b"t" * 64)
    with pytest.raises(BackupDamaged, match="secrets/secret"):
        dry_run(tmp_path / "home", tmp_path / "b")
    assert not (tmp_path / "home").exists()
