"""What every test may ask for: a real Kafka and a real Redis, settings with names of their own, topics, the data folder.

The servers start when the first test wants them, on free ports, and end with the session. ``CLAW_TEST_KAFKA`` (host:port) and
``CLAW_TEST_REDIS`` (URL) name servers to use instead.
"""

import asyncio
import gc
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from adapters.redis.client import RedisClient, connect
from adapters.redis.commands import COMMANDS
from ops.commands import topics as administration
from ops.stack import jars, kafka
from ops.stack import redis as redis_server
from ops.stack.child import Component, ComponentProcess
from ops.stack.ports import claim
from schemas.settings import AuthSettings, KafkaSettings, NodeSettings, RedisSettings, Settings
from schemas.settings.section import Secret
from streams.topics import Topic
from tests.support.own_redis import OwnRedis

PARTITIONS = 4
SYSTEM = "tests/system/"
TOGETHER = (SYSTEM, "tests/pages/")  # folders whose tests share a stack
INSPECTION = (
    "memory|usage",
    "dump",
    "restore",
    "keys",
    "rpush",
    "lrange",
    "pubsub|numsub",
)  # what tests do with Redis and the product does not
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Servers:
    """How the session's Kafka and Redis are reached, and what they are."""

    kafka: KafkaSettings
    redis: RedisSettings
    described: str


SERVERS = pytest.StashKey[Servers]()


# A busy machine makes no property false: what must be fast is measured in benchmarks/, and pytest's timeout ends what hangs.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", metavar="PATH", default=os.environ.get("CLAW_DATA", ""), help="folder of sample documents and questions")


def pytest_report_header() -> str:
    given = os.environ.get("CLAW_TEST_KAFKA")
    return (
        f"stack tests: Kafka at {given}" if given else f"stack tests: real Apache Kafka {jars.kafka_version()} and Redis, started on demand"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if servers := config.stash.get(SERVERS, None):
        terminalreporter.write_line(f"stack tests ran on {servers.described}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the servers is a stack test, whether it says so or not. The slow kinds come first: tests that share a stack, then
    modules with a stack test, so that processes which share the work end together.
    """
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
    stacked = {item.path for item in items if item.get_closest_marker("stack")}
    items.sort(key=lambda item: (not item.nodeid.startswith(SYSTEM), not item.nodeid.startswith(TOGETHER), item.path not in stacked))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Which tests stay together when processes share the work (``-n``): those of a module, and those of a folder that share a stack."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # noqa: PLC0415 - only where processes share the work

    class ModuleScheduling(LoadScopeScheduling):  # type: ignore[misc]  # untyped
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.split("::", 1)[0])

    config.option.loadscopereorder = False  # the order is that of collection
    return ModuleScheduling(config, log)


@pytest.fixture(scope="module", autouse=True)
def _collect_garbage() -> Iterator[None]:
    """What a module leaves open is found at its end, not at the end of the whole run, where nobody can tell whose it was."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Servers]:
    """The session's Kafka and Redis."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as running:
        kafka_settings, kafka_described = _kafka(folder, running)
        redis_settings, redis_described = _redis(folder, running)
        pytestconfig.stash[SERVERS] = Servers(kafka_settings, redis_settings, f"{kafka_described}; {redis_described}")
        yield pytestconfig.stash[SERVERS]


def _kafka(folder: Path, running: ExitStack) -> tuple[KafkaSettings, str]:
    if given := os.environ.get("CLAW_TEST_KAFKA"):
        return KafkaSettings(bootstrap=given), f"the Kafka given at {given}"
    taken: set[int] = set()
    node = kafka.KafkaNode(folder / "kafka", folder / "kafka.log", claim("kafka", 0, taken), claim("controller", 0, taken))
    running.callback(shutil.rmtree, node.data, ignore_errors=True)
    _start(kafka.prepare(node, os.environ), running)
    return node.settings(), f"Apache Kafka {kafka.version_in(node.log)} (KRaft) at {node.servers}"


def _redis(folder: Path, running: ExitStack) -> tuple[RedisSettings, str]:
    """Its user may do what the product's may, and look into a key: what the product must not be missing, it misses here."""
    if given := os.environ.get("CLAW_TEST_REDIS"):
        return RedisSettings(url=given), f"the Redis given at {given}"
    node = redis_server.RedisNode(folder / "redis", folder / "redis.log", commands=(*COMMANDS, *INSPECTION))
    _start(redis_server.prepare(node, os.environ), running)
    return node.settings(), f"{redis_server.version_of(redis_server.server_binary(os.environ))} at {node.where}"


def _start(component: Component, running: ExitStack) -> None:
    child = ComponentProcess(component)
    running.callback(lambda: _wait(child.stop()))
    _wait(child.wait_ready())


def _wait(awaitable: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own, leaving the one pytest-asyncio manages alone."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(awaitable)
    finally:
        loop.close()


@pytest.fixture
def kafka_settings(servers: Servers) -> KafkaSettings:
    """Kafka under a topic prefix nobody else uses."""
    return msgspec.structs.replace(
        servers.kafka, partitions=PARTITIONS, reply_partitions=PARTITIONS, topic_prefix=f"t{uuid.uuid4().hex[:10]}."
    )


@pytest.fixture
def redis_settings(servers: Servers) -> RedisSettings:
    """Redis under a key prefix nobody else uses."""
    return msgspec.structs.replace(servers.redis, key_prefix=f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
def prefix(redis_settings: RedisSettings) -> str:
    """What this test's keys begin with."""
    return redis_settings.key_prefix


@pytest.fixture
async def redis(redis_settings: RedisSettings, prefix: str) -> AsyncIterator[RedisClient]:
    """A client of the session's Redis; the test's keys go with it."""
    client = connect(redis_settings)
    yield client
    keys = [key async for key in client.scan_iter(match=f"{prefix}:*", count=1000)]
    for start in range(0, len(keys), 500):
        await client.execute_command("UNLINK", *keys[start : start + 500])
    await client.aclose()


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    """A Redis that this test may freeze, kill and start again."""
    own = OwnRedis(tmp_path)
    await own.start()
    yield own
    await own.stop()


@pytest.fixture
def settings(kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path) -> Settings:
    """A whole installation of its own: prefixes, home folder, signing secret."""
    return Settings(
        node=NodeSettings(home=tmp_path, port=0), kafka=kafka_settings, redis=redis_settings, auth=AuthSettings(secret=Secret("test-" * 8))
    )


@pytest.fixture
async def topics(kafka_settings: KafkaSettings) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """``await topics(TOPIC, ...)`` creates topics under the test's prefix; they are deleted when it ends."""
    created: list[Topic] = []

    async def create(*wanted: Topic) -> None:
        created.extend(wanted)
        await administration.apply(kafka_settings, wanted)

    yield create
    if created:
        await administration.delete(kafka_settings, created)


@pytest.fixture(scope="session")
def data(pytestconfig: pytest.Config) -> Path:
    """The folder of sample documents and questions; skips when none is given."""
    given = pytestconfig.getoption("--data")
    if not given:
        pytest.skip("no sample data: give --data PATH or CLAW_DATA")
    folder = Path(given)
    if not folder.is_dir():
        raise pytest.UsageError(f"--data {given} is no folder")
    return folder
