"""One whole stack for all system tests: ``claw up`` as a process, with the stub provider as its model."""

import asyncio
import base64
import json
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from adapters.kafka import connection_options
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client
from domain.sections import SECTIONS, load_settings
from ops.commands import topics
from ops.stack.embedded import locate_servers
from ops.stack.environment import environment_of
from ops.stack.launch import stack
from ops.stack.ports import claim
from ops.stack.state import ProcessRecord, StackState, read_state
from schemas.records import AccountRole
from schemas.settings import KafkaSettings, RedisSettings, Settings, sections_of
from schemas.settings.variables import variables
from tests.support.claw_forks import ClawForks, ForkedCommand, claw_forks

PASSWORD = "a long test passphrase"
OwnStack = Callable[[Path, Mapping[str, str]], AbstractAsyncContextManager[tuple["Up", aiohttp.ClientSession]]]

# slow enough to be killed in the middle: 60 tokens at 50 ms, citing the first passage
MODEL = "stub?first_ms=50&tokens=60&token_ms=50&cite=1"
PRO_DOCUMENTS_MAX = 2  # of accounts of tier pro, which no test but that of the cap has
CANARIES = {  # every secret setting, but those that tests set themselves, and the password of a Kafka that is not embedded
    variable.name: f"canary-{variable.name.lower().replace('_', '-')}-{secrets.token_hex(16)}"
    for section in (*(section for _, section in sections_of(Settings)), *SECTIONS)
    for variable in variables(section)
    if variable.secret and variable.name not in {"CLAW_MODEL_THIRD_API_KEY", "CLAW_KAFKA_SASL_PASSWORD"}
}


@dataclass(frozen=True)
class Up:
    """The stack under test, seen from outside."""

    url: str
    home: Path
    settings: dict[str, str]
    forks: ClawForks

    @property
    def state(self) -> StackState:
        state = read_state(self.home)
        assert state is not None
        return state

    def process(self, component: str) -> ProcessRecord:
        return self.state.components[component]

    @property
    def kafka(self) -> KafkaSettings:
        return self._servers.kafka

    @property
    def connection(self) -> dict[str, Any]:
        """What a client library of Kafka is given."""
        return connection_options(self.kafka)

    @property
    def redis(self) -> RedisSettings:
        return self._servers.redis

    @property
    def _servers(self) -> Settings:
        return locate_servers(load_settings(self.environ))

    async def command(self, *arguments: str, timeout_s: float = 120.0, typed: str = "") -> tuple[int, str]:
        """``claw ...``, as an operator runs it beside the stack, ``typed`` as its standard input: its exit code and what it printed."""
        process = await self.forks.run(arguments, self.environ, piped=True)
        async with asyncio.timeout(timeout_s):
            printed = await process.communicate(typed.encode())
        return await process.wait(), printed.decode()

    @asynccontextmanager
    async def replica(self) -> AsyncIterator[str]:
        """The URL of another API process of this installation."""
        async with api_process(self.forks, self.environ) as url:
            yield url

    @asynccontextmanager
    async def worker(self, lane: str) -> AsyncIterator[None]:
        """Another worker of a lane, until the block ends; it joins when it is ready."""
        process = await self.forks.run(("worker", "--lane", lane), self.environ | {"CLAW_METRICS_PORT": "0"})
        try:
            yield
        finally:
            await _ended(process)

    @property
    def environ(self) -> dict[str, str]:
        """What a process of this installation is told."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")} | self.settings
        return environ | {"CLAW_HOME": str(self.home)}

    @property
    def key(self) -> str:
        return (self.home / "key").read_text(encoding="utf-8").strip()

    async def restarted(self, component: str, before: ProcessRecord, timeout_s: float = 60.0) -> ProcessRecord:
        """Wait for the successor of a process."""
        async with asyncio.timeout(timeout_s):
            while (now := self.process(component)).pid == before.pid:
                await asyncio.sleep(0.1)
        return now

    async def ready(self, timeout_s: float = 60.0) -> None:
        await answers(self.url, timeout_s=timeout_s)


async def promote(up: Up, session: aiohttp.ClientSession, email: str, headers: Mapping[str, str], role: AccountRole = "operator") -> None:
    """Give the account behind the headers a role, and wait until the API knows it: it may remember the role of before for a second."""
    code, printed = await up.command("admin", "create", email, "--role", role, "--promote")
    assert code == 0, printed
    path = "/api/v1/rate-limits/denylist" if role == "operator" else "/api/v1/organisation/members"
    async with asyncio.timeout(20):
        while True:
            async with session.get(path, headers=headers) as answer:
                if answer.ok:
                    return
            await asyncio.sleep(0.2)


@asynccontextmanager
async def api_process(forks: ClawForks, environ: Mapping[str, str], *, path: str = "/readyz") -> AsyncIterator[str]:
    """``claw api`` on a free port until the block ends: its URL, once ``path`` answers 200."""
    port = claim("api", 0, set())
    process = await forks.run(("api",), {**environ, "CLAW_PORT": str(port)})
    try:
        url = f"http://127.0.0.1:{port}"
        await answers(url, path=path, process=process)
        yield url
    finally:
        await _ended(process)


async def answers(url: str, *, path: str = "/readyz", timeout_s: float = 60.0, process: ForkedCommand | None = None) -> None:
    """Wait until an API answers 200 there; its ``process`` must not end before."""
    async with asyncio.timeout(timeout_s), aiohttp.ClientSession() as session:
        while True:
            assert process is None or process.returncode is None
            try:
                async with session.get(f"{url}{path}") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


async def _ended(process: ForkedCommand) -> None:
    if process.returncode is None:
        process.terminate()
    async with asyncio.timeout(30):
        await process.wait()


@pytest.fixture(scope="package")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClawForks]:
    """What runs ``claw`` commands beside a stack."""
    with claw_forks(tmp_path_factory.mktemp("forks")) as made:
        yield made


@pytest.fixture
async def own_stack(kafka_settings: KafkaSettings, forks: ClawForks) -> AsyncIterator[OwnStack]:
    """``async with own_stack(home, settings) as (up, session)``: a stack until the block ends, without rate limits; a start after another
    one finds what that left. Its Kafka is the session's: another one takes longer to start than all the rest.
    """
    given = environment_of(Settings(kafka=kafka_settings), {}) | {"CLAW_LIMIT_ENABLED": "false"}

    @asynccontextmanager
    async def opened(home: Path, settings: Mapping[str, str]) -> AsyncIterator[tuple[Up, aiohttp.ClientSession]]:
        chosen = {**given, **settings}
        async with stack(home, chosen, show=True) as running, aiohttp.ClientSession(base_url=running.url) as session:
            yield Up(running.url, home, chosen, forks), session

    yield opened
    await topics.delete(kafka_settings, topics.catalogue(Settings()))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def up(tmp_path_factory: pytest.TempPathFactory, forks: ClawForks) -> AsyncIterator[Up]:
    home = tmp_path_factory.mktemp("system")
    stub = launch_stub_provider()
    async with stub as provider:
        settings = {
            **stub_model(provider.url, MODEL),
            **CANARIES,
            "CLAW_AUTH_PREVIOUS_UNTIL": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "CLAW_LIMIT_ENABLED": "false",
            "CLAW_LOG_LEVEL": "debug",  # test_logs.py reads what is logged
            "CLAW_CAP_PRO_DOCUMENTS_MAX": str(PRO_DOCUMENTS_MAX),
            "CLAW_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "CLAW_DOCUMENT_FETCH_NETWORKS": "127.0.0.0/8",
            "CLAW_SCHEDULE_INTERVAL_S_MIN": "1",
            "CLAW_LANE_SESSION_TIMEOUT_S": "6",
            "CLAW_LANE_LEASE_S": "3",
            "CLAW_ERASURE_SETTLE_S": "1",
            "CLAW_ERASURE_RECHECK_S": "2",
        }
        async with stack(home, settings) as running:
            yield Up(running.url, home, settings, forks)


@pytest.fixture
async def session(up: Up) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=up.url) as made:
        yield made


@pytest.fixture
async def client(session: aiohttp.ClientSession) -> Client:
    """A new user in a tenant of their own."""
    return await Client.register(session, f"{uuid.uuid4().hex}@example.org", "a long test passphrase")


@pytest.fixture
async def owner(up: Up, session: aiohttp.ClientSession) -> Client:
    """The tenant that upstream systems write for, with a knowledge base of the test's own."""
    client = await Client.with_token(session, up.key)
    async with session.post("/api/v1/knowledge", json={"name": uuid.uuid4().hex}, headers=client.headers) as made:
        return Client(session, client.headers, (await made.json())["id"])


@pytest.fixture
async def upstream(up: Up) -> AsyncIterator[AIOKafkaProducer]:
    """What an upstream system has: a Kafka producer and nothing of ours."""
    producer = AIOKafkaProducer(**up.connection, acks="all")
    await producer.start()
    yield producer
    await producer.stop()


async def log_in_operator(up: Up, session: aiohttp.ClientSession) -> dict[str, str]:
    """The headers of a new operator."""
    email = f"{uuid.uuid4().hex}@example.org"
    code, printed = await up.command("admin", "create", email, "--password-stdin", typed=f"{PASSWORD}\n")
    assert code == 0, printed
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def records(up: Up, *topics: str) -> list[Any]:
    """Everything on these topics now."""
    consumer = AIOKafkaConsumer(*topics, **up.connection, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = consumer.assignment()
        assert {place.topic for place in places} == set(topics)
        ends = await consumer.end_offsets(places)
        found: list[Any] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return found
    finally:
        await consumer.stop()


def tenant_of(client: Client) -> str:
    """Of the account behind the client."""
    payload = client.headers["Authorization"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["tenant"])
