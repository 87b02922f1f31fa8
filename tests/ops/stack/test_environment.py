"""Settings to environment and back, the signing secret, ports."""

from pathlib import Path

import msgspec
import pytest

from ops.stack.environment import environment_of, with_secret, without_settings
from schemas.errors import ConfigurationError
from schemas.settings import AuthSettings, KafkaSettings, LimitSettings, NodeSettings, Settings
from schemas.settings.section import Secret


def test_a_variable_that_was_set_to_its_default_travels_too():
    """Its value is the environment's, so live configuration must not change it in any process."""
    settings = Settings.from_env({"CLAW_MODEL_TEMPERATURE": "0.2"})
    assert Settings.from_env(environment_of(settings, {})).explicit == {"CLAW_MODEL_TEMPERATURE"}


def test_a_program_that_is_not_ours_gets_no_settings():
    """The broker and Redis need none, and secrets are among them."""
    environ = {"PATH": "/bin", "CLAW_AUTH_SECRET": "s" * 40, "CLAW_MODEL_API_KEY": "k", "CLAW_HOME": "/h", "KAFKA_OPTS": "-Dx"}
    assert without_settings(environ) == {"PATH": "/bin", "CLAW_HOME": "/h", "KAFKA_OPTS": "-Dx"}


def test_settings_travel_by_environment():
    settings = Settings(
        node=NodeSettings(home=Path("/somewhere"), port=0, log_format="json"),
        kafka=KafkaSettings(bootstrap="a:1,b:2", sasl_password=Secret("päss word")),
        limits=LimitSettings(enabled=False, burst_factor=1.5),
        auth=AuthSettings(secret=Secret("s" * 40)),
    )
    environ = environment_of(settings, {"PATH": "/bin", "CLAW_PORT": "1", "CLAW_DATA": "/data"})
    received = Settings.from_env(environ)
    assert msgspec.structs.replace(received, explicit=frozenset()) == settings
    assert received.explicit == {name for name in environ if name.startswith("CLAW_") and name != "CLAW_DATA"}
    assert environ["PATH"] == "/bin"
    assert environ["CLAW_DATA"] == "/data"


def test_a_secret_is_made_once_and_given_ones_win(tmp_path: Path):
    settings = Settings(node=NodeSettings(home=tmp_path))
    made = with_secret(settings, {}, create=True)
    assert with_secret(settings, {}, create=False) == made
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    given = Settings(node=NodeSettings(home=tmp_path), auth=AuthSettings(secret=Secret("x" * 32)))
    assert with_secret(given, {}, create=True) == given


def test_unusable_secrets_are_refused(tmp_path: Path):
    settings = Settings(node=NodeSettings(home=tmp_path))
    with pytest.raises(ConfigurationError, match="CLAW_AUTH_SECRET is not set"):
        with_secret(settings, {}, create=False)
    with pytest.raises(ConfigurationError, match="CLAW_AUTH_SECRET: 0 bytes"):
        with_secret(settings, {"CLAW_AUTH_SECRET": ""}, create=True)
    (tmp_path / "secret").write_text("short\n")
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(ConfigurationError, match="5 bytes are too short"):
        with_secret(settings, {}, create=True)
    (tmp_path / "secret").write_text("long enough " * 4)
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        with_secret(settings, {}, create=True)
