"""Settings: every refusal names the variable and the limit, and a secret never shows itself."""

import json
import logging
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

from domain.sections import SECTIONS
from ops.processes.logs import hide_secrets
from schemas.errors import ConfigurationError
from schemas.settings import Settings, sections_of
from schemas.settings.section import Secret, Section
from schemas.settings.variables import variables

SECRET = "correct-horse-battery-staple-0123456789"


def variables_of(kind: type) -> list[str]:
    """Names of the variables whose field has this type."""
    return [
        section.prefix + field.name.upper()
        for _, section in sections_of(Settings)
        for field in msgspec.structs.fields(section)
        if kind in (field.type, *getattr(field.type, "__args__", ()), getattr(field.type, "__origin__", None))
    ]


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing set is a whole, keyless configuration."""
    assert Settings.from_env({}) == Settings()


def test_variables_are_converted_to_the_types_of_their_fields() -> None:
    settings = Settings.from_env(
        {
            "CLAW_PORT": "8123",
            "CLAW_HOME": "/srv/claw",
            "CLAW_LIMIT_ENABLED": "false",
            "CLAW_LANE_LEASE_S": "2.5",
            "CLAW_KAFKA_SASL_PASSWORD": SECRET,
        }
    )
    assert settings.node.port == 8123
    assert settings.node.home == Path("/srv/claw")
    assert settings.limits.enabled is False
    assert settings.lanes.lease_s == 2.5
    assert settings.kafka.sasl_password.reveal() == SECRET


def test_an_empty_variable_counts_as_not_set() -> None:
    """Compose files pass ``${VAR:-}``: that must not become an empty number."""
    assert Settings.from_env({"CLAW_PORT": "", "CLAW_REDIS_PASSWORD": ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "limit"),
    [
        ("CLAW_PORT", "70000", "65535"),
        ("CLAW_PORT", "eighty", "`int`"),
        ("CLAW_KAFKA_SECURITY_PROTOCOL", "TLS", "invalid enum value"),
        ("CLAW_KAFKA_TOPIC_PREFIX", "Upper Case", "regex"),
        ("CLAW_REDIS_TIMEOUT_S", "0", "> 0"),
        ("CLAW_LANE_LEASE_S", "61", "<= 60"),
        ("CLAW_LIMIT_ENABLED", "perhaps", "`bool`"),
        ("CLAW_MODEL_TEMPERATURE", "nan", ""),
    ],
)
def test_a_bad_value_names_the_variable_and_the_limit(variable: str, value: str, limit: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_env({variable: value})
    assert str(refusal.value).startswith(f"{variable}: ")
    assert limit in str(refusal.value)


def test_an_unknown_variable_is_refused_by_name() -> None:
    """A misspelt setting must not be silently without effect."""
    with pytest.raises(ConfigurationError, match=r"CLAW_KAFKA_BOOTSTRAPS.*docs/settings\.md"):
        Settings.from_env({"CLAW_KAFKA_BOOTSTRAPS": "kafka:9092", "PATH": "/bin"})


def test_what_tests_read_is_no_unknown_variable() -> None:
    assert Settings.from_env({"CLAW_TEST_KAFKA": "127.0.0.1:9092", "CLAW_DATA": "/data"}) == Settings()


def test_variable_names_are_unique() -> None:
    """Two sections never claim one variable."""
    names = [section.prefix + field.name.upper() for _, section in sections_of(Settings) for field in msgspec.structs.fields(section)]
    assert len(names) == len(set(names))


def test_every_setting_says_what_it_is_for() -> None:
    for _, section in sections_of(Settings):
        assert issubclass(section, Section)
        for field in msgspec.structs.fields(section):
            info = msgspec.inspect.type_info(field.type)
            assert isinstance(info, msgspec.inspect.Metadata), field.name
            assert (info.extra_json_schema or {}).get("description"), field.name


def test_whatever_is_a_key_or_a_password_is_a_secret() -> None:
    """A credential in a plain ``str`` would end up in a log one day."""
    plain = [
        section.prefix + field.name.upper()
        for _, section in sections_of(Settings)
        for field in msgspec.structs.fields(section)
        if any(word in field.name for word in ("password", "secret", "api_key")) and not isinstance(field.default, Secret)
    ]
    assert plain == []


def test_no_secret_setting_shows_itself() -> None:
    """A canary in every one, those of areas too: in no text, no JSON and no line of a log that the settings end up in."""
    sections = (*(section for _, section in sections_of(Settings)), *SECTIONS)
    names = [each.name for section in sections for each in variables(section) if each.secret]
    assert {"CLAW_AUTH_SECRET", "CLAW_MODEL_API_KEY", "CLAW_CONFIG_SECRET"} <= set(names)
    settings = Settings.from_env({name: f"canary-{name}" for name in names}, SECTIONS)
    line = hide_secrets(None, "info", {"event": "started", "settings": settings, "areas": list(settings.areas)})
    for text in (repr(settings), str(settings), repr(line), msgspec.json.encode(settings, enc_hook=repr).decode()):
        assert "canary" not in text


class TestSecret:
    def test_never_shows_in_text(self, caplog: pytest.LogCaptureFixture) -> None:
        settings = Settings.from_env({"CLAW_AUTH_SECRET": SECRET, "CLAW_REDIS_PASSWORD": SECRET})
        logging.getLogger("test").warning("settings %s %r", settings, settings.auth.secret)
        shown = (
            repr(settings),
            str(settings),
            f"{settings.auth.secret}",
            f"{settings.auth!r}",
            f"{settings.auth.secret!s:>60}",
            caplog.text,
        )
        assert all(SECRET not in text for text in shown)
        assert "Secret(***)" in repr(settings)

    def test_never_becomes_json(self) -> None:
        """No encoder finds a way in: it is refused rather than shown."""
        settings = Settings.from_env({"CLAW_AUTH_SECRET": SECRET})
        with pytest.raises((TypeError, NotImplementedError)):
            msgspec.json.encode(settings)
        with pytest.raises(TypeError):
            json.dumps({"secret": settings.auth.secret})
        assert SECRET not in json.dumps({"secret": settings.auth.secret}, default=str)

    @pytest.mark.parametrize("other", ["CLAW_AUTH_ACCESS_TOKEN_TTL_S", "CLAW_AUTH_HASH_CONCURRENCY"])
    def test_never_shows_in_the_traceback_of_a_bad_neighbour(self, other: str) -> None:
        """The whole section is converted at once; its error must not carry the other values."""
        with pytest.raises(ConfigurationError) as refusal:
            Settings.from_env({"CLAW_AUTH_SECRET": SECRET, other: "many"})
        assert SECRET not in "".join(traceback.format_exception(refusal.value))

    def test_is_compared_and_hashed_by_value(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a")}) == 1
        assert not Secret()

    def test_has_no_attribute_dictionary(self) -> None:
        """``vars()`` and naive serialisers find nothing to print."""
        with pytest.raises(TypeError):
            vars(Secret(SECRET))

    def test_survives_a_child_process(self) -> None:
        """Parsing children get their settings pickled."""
        assert pickle.loads(pickle.dumps(Secret(SECRET))).reveal() == SECRET
