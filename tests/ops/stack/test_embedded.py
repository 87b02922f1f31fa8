"""A command beside a stack finds its servers."""

from pathlib import Path

import pytest

from ops.stack.credentials import ensure_credentials
from ops.stack.embedded import locate_servers
from ops.stack.state import ProcessRecord, StackState, state_path, write_state
from schemas.settings import KafkaSettings, NodeSettings, RedisSettings, Settings
from schemas.settings.section import Secret

PROCESS = ProcessRecord(pid=1, born="1")
URL = "unix:///home/redis.sock?db=0"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of a stack whose Kafka and Redis are its own."""
    state_path(tmp_path).parent.mkdir()
    write_state(tmp_path, StackState(url="", kafka="k:1", redis=URL, supervisor=PROCESS, components={"kafka": PROCESS, "redis": PROCESS}))
    ensure_credentials(tmp_path)
    return tmp_path


def test_addresses_and_passwords_come_from_the_home_folder(home):
    found, credentials = locate_servers(Settings(node=NodeSettings(home=home))), ensure_credentials(home)
    assert (found.kafka.servers, found.kafka.sasl_username, found.kafka.sasl_password) == ("k:1", "claw", credentials.kafka)
    assert found.kafka.security_protocol == "SASL_PLAINTEXT"
    assert (found.redis.url, found.redis.username, found.redis.password) == (URL, "claw", credentials.redis)


def test_its_own_addresses_may_be_named(home):
    settings = Settings(node=NodeSettings(home=home), kafka=KafkaSettings(bootstrap="k:1"), redis=RedisSettings(url=URL))
    assert locate_servers(settings).kafka.sasl_username == "claw"
    assert locate_servers(settings).redis.username == "claw"


def test_servers_of_somebody_else_get_nothing_of_it(home):
    settings = Settings(
        node=NodeSettings(home=home),
        kafka=KafkaSettings(bootstrap="other:9092"),
        redis=RedisSettings(url="redis://other/0", password=Secret("theirs")),
    )
    assert locate_servers(settings) == settings


def test_a_home_without_a_stack_changes_nothing(tmp_path):
    settings = Settings(node=NodeSettings(home=tmp_path))
    assert locate_servers(settings) == settings
