"""The client against a running API."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from claw_client import ApiError, connect
from schemas.settings import Settings
from tests.support.api_process import WANTED, House, opened


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
