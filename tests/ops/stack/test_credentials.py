"""The passwords of the embedded servers."""

import pytest
from structlog.testing import capture_logs

from ops.stack.credentials import create_private, credentials_path, ensure_credentials, make_private_folder, read_credentials
from schemas.errors import ConfigurationError


def test_they_are_made_once_and_nobody_else_reads_them(tmp_path):
    made = ensure_credentials(tmp_path)
    assert ensure_credentials(tmp_path) == made == read_credentials(tmp_path)
    assert made.kafka != made.redis
    assert min(len(made.kafka.reveal()), len(made.redis.reveal())) >= 32
    assert credentials_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert made.kafka.reveal() not in repr(made)


def test_two_starts_at_once_agree_on_one(tmp_path):
    """The second one to finish finds the file of the first."""
    create_private(tmp_path / "one", "first")
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "one", "second")
    assert (tmp_path / "one").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "one"]


def test_what_others_can_read_or_is_damaged_is_refused_with_a_remedy(tmp_path):
    ensure_credentials(tmp_path)
    credentials_path(tmp_path).chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others: delete it"):
        read_credentials(tmp_path)
    credentials_path(tmp_path).chmod(0o600)
    credentials_path(tmp_path).write_text("{}")
    with pytest.raises(ConfigurationError, match="is damaged: delete it"):
        ensure_credentials(tmp_path)


def test_a_folder_that_was_open_is_narrowed_and_the_log_says_so(tmp_path):
    """Whoever read in it before finds in the log why they no longer can; a folder that was private is no news."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    with capture_logs() as logged:
        make_private_folder(folder)
        make_private_folder(folder)
        make_private_folder(tmp_path / "new")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(each["event"], each["path"], each["mode_before"]) for each in logged] == [("folder_made_private", str(folder), "0755")]
