"""One API process for all tests of this folder; each test is somebody new in it."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from adapters.secrets import passwords
from ops.commands import topics as administration
from schemas.settings import AuthSettings, LimitSettings, NodeSettings, Settings
from schemas.settings.section import Secret
from streams.topics import DEAD_LETTERS
from tests.conftest import Servers
from tests.support.api_process import WANTED, House, Person, opened


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hundreds of tests register somebody: hashes are real, and cost a hundredth. What they cost is tests/adapters/secrets' concern."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "PASSES", 1)
        patched.setattr(passwords, "MEMORY_KIB", 1_024)
        patched.setattr(passwords, "DUMMY_HASH", passwords.DUMMY_HASH.replace("m=65536,t=3", "m=1024,t=1"))
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api_settings(servers: Servers, tmp_path_factory) -> AsyncIterator[Settings]:
    """An installation of its own, without rate limits, with topics."""
    name = uuid.uuid4().hex[:10]
    settings = Settings(
        node=NodeSettings(home=Path(tmp_path_factory.mktemp("api")), port=0),
        kafka=msgspec.structs.replace(servers.kafka, partitions=2, reply_partitions=2, topic_prefix=f"t{name}."),
        redis=msgspec.structs.replace(servers.redis, key_prefix=f"t{name}"),
        auth=AuthSettings(secret=Secret("test-" * 8)),
        limits=LimitSettings(enabled=False),
    )
    await administration.apply(settings.kafka, WANTED)
    yield settings
    await administration.delete(settings.kafka, WANTED)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(api_settings: Settings) -> AsyncIterator[House]:
    async with opened(api_settings) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dead_letters(api_settings: Settings) -> AsyncIterator[None]:
    """The topic of dead letters, for tests that write some."""
    await administration.apply(api_settings.kafka, (DEAD_LETTERS,))
    yield
    await administration.delete(api_settings.kafka, (DEAD_LETTERS,))


@pytest_asyncio.fixture(loop_scope="session")
async def ada(house: House) -> Person:
    return await house.person()


@pytest_asyncio.fixture(loop_scope="session")
async def bob(house: House) -> Person:
    """Somebody of another tenant."""
    return await house.person()
