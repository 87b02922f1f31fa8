"""The client against a running API."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from api.core import Core
from claw_client import ApiError, connect
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from schemas.records import KnowledgeBase, KnowledgeBaseChanged
from schemas.settings import Settings
from streams.log.outgoing import Outgoing
from tests.support.api_process import WANTED, House, opened
from tests.support.reply_speaker import TRACE


@pytest.fixture
async def house(settings: Settings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[House]:
    await topics(*WANTED)
    async with opened(settings) as running:
        yield running


async def test_submits_asks_and_reads_what_the_server_says(house: House) -> None:
    ada = await house.person()
    async with connect(str(house.client.base_url), token=ada.token) as client:
        assert client.knowledge_base == ada.base
        assert await client.document("handbook") == {}
        accepted = await client.submit("handbook", "Thirty days of leave.")
        assert (await client.document("handbook"))["version"] == accepted["version"]
        conversation = await client.create_conversation()
        assert (await ada.call("GET", f"/conversations/{conversation}")).status_code == 200


async def test_the_knowledge_base_is_the_default_of_the_caller(house: House) -> None:
    """Not the oldest that they can see, nor the newest."""
    ada, core = await house.person(), house.ports(Core)
    older = KnowledgeBase(
        id=str(uuid.uuid4()),
        tenant=(await core.read_models.accounts.get(ada.user["id"], ada.user["id"])).tenant,  # type: ignore[union-attr]
        user_id="somebody else",
        name="Older",
        sharing="tenant",
        created_at=datetime(2020, 1, 1, tzinfo=UTC),
        updated_at=core.clock.now(),
    )
    event = KnowledgeBaseChanged(
        id=str(uuid.uuid4()), source="/", subject=older.id, time=core.clock.now(), tenant=older.tenant, traceparent=TRACE, data=older
    )
    await core.records.change(Outgoing(KNOWLEDGE_CHANGED, event))
    await ada.call("POST", "/knowledge", json={"name": "newer"})
    listed = (await ada.call("GET", "/knowledge")).json()["items"]
    assert [each["name"] for each in listed] == ["newer", "Default", "Older"]
    async with connect(str(house.client.base_url), token=ada.token) as client:
        assert client.knowledge_base == ada.base


async def test_errors_carry_the_problem(house: House) -> None:
    with pytest.raises(ApiError) as caught:
        async with connect(str(house.client.base_url), token="nobody"):
            pass
    assert (caught.value.status, caught.value.code) == (401, "unauthenticated")
    assert caught.value.remedy


async def test_a_wait_has_an_end(house: House) -> None:
    """Nobody works on the document here."""
    ada = await house.person()
    async with connect(str(house.client.base_url), token=ada.token) as client:
        await client.submit("handbook", "Thirty days of leave.")
        with pytest.raises(TimeoutError):
            await client.wait_indexed("handbook", timeout_s=0.2)
