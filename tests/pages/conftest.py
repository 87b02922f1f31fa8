"""One whole stack and one browser for all tests of pages."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client
from ops.commands import topics
from ops.stack.environment import environment_of
from ops.stack.launch import stack
from schemas.settings import LimitSettings, Settings
from tests.conftest import Servers
from tests.support.browser import NEEDS_CHROMIUM, Visitor, open_browser, visit
from tests.support.chat_page import Reader
from tests.support.claw_forks import ClawForks
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.support.oidc_provider import provider as oidc_provider
from tests.system.conftest import Up, forks, promote

__all__ = ["forks"]

expect.set_options(timeout=20_000)  # a busy machine

LEAVE = "Everybody has 25 days of leave a year.\n\n每位员工每年有二十五天年假。"
PASSWORD = "correct horse battery staple"
# slow enough to do something while an answer streams: 60 tokens at 40 ms, citing the first passage
MODEL = "stub?first_ms=50&tokens=60&token_ms=40&cite=1"


RATES = {  # rules are in force, and refuse nobody who does not change them
    f"CLAW_LIMIT_{name.upper()}": "0" if name.startswith("tokens_") else "1000000"
    for name in LimitSettings.__struct_fields__
    if name.endswith(("_per_minute", "_per_day"))
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(NEEDS_CHROMIUM)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def identity_provider() -> AsyncIterator[Provider]:
    """Where people may log in instead of here."""
    async with oidc_provider() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def up(
    servers: Servers, forks: ClawForks, identity_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Up]:
    """The stack under test, on the session's Kafka."""
    kafka = msgspec.structs.replace(servers.kafka, partitions=2, reply_partitions=2, topic_prefix=f"p{uuid.uuid4().hex[:10]}.")
    home = tmp_path_factory.mktemp("pages")
    async with launch_stub_provider() as provider:
        settings = {
            **environment_of(Settings(kafka=kafka), {}),
            **stub_model(provider.url, MODEL),
            **RATES,
            "CLAW_OIDC_PROVIDER": "works",
            "CLAW_OIDC_TITLE": "Test Works",
            "CLAW_OIDC_ISSUER": identity_provider.issuer,
            "CLAW_OIDC_CLIENT_ID": CLIENT_ID,
            "CLAW_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "CLAW_DOCUMENT_FETCH_NETWORKS": "127.0.0.0/8",
            "CLAW_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        async with stack(home, settings, show=True) as running:
            yield Up(running.url, home, settings, forks)
    await topics.delete(kafka, topics.catalogue(Settings()))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def session(up: Up) -> AsyncIterator[aiohttp.ClientSession]:
    """The API, beside the browser."""
    async with aiohttp.ClientSession(base_url=up.url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, up: Up) -> AsyncIterator[Visitor]:
    """Somebody new, who reads English and is not signed in."""
    async with visit(browser, up.url) as somebody:
        yield somebody


async def enter(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the form that is shown, to sign in or to register, and wait until it lets in."""
    await page.locator("input[name=email]").fill(email)
    await page.locator("input[name=password]").fill(password)
    await page.locator("form button[type=submit]").click()
    await expect(page.locator("nav.rail")).to_be_visible()


async def register(visitor: Visitor) -> str:
    """Register; the e-mail of the new account, whose password is PASSWORD."""
    email = f"{uuid.uuid4().hex}@example.org"
    await visitor.go("/register")
    await enter(visitor.page, email)
    return email


async def sign_in(page: Page, url: str, email: str, password: str = PASSWORD) -> None:
    """Sign in where nobody is."""
    await page.goto(f"{url}/sign-in")
    await enter(page, email, password)


async def client_of(session: aiohttp.ClientSession, email: str) -> Client:
    """The API with the credential of an account that was registered in the browser."""
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        return await Client.with_token(session, (await answer.json())["access_token"])


@pytest_asyncio.fixture(loop_scope="session")
async def reader(visitor: Visitor, session: aiohttp.ClientSession) -> AsyncIterator[Reader]:
    email = await register(visitor)
    client = await client_of(session, email)
    await client.submit("leave", LEAVE, title="Leave rules")
    await client.wait_indexed("leave")
    await visitor.go("/")
    yield Reader(visitor, client, email)


async def make_admin(up: Up, session: aiohttp.ClientSession, email: str) -> dict[str, str]:
    """Give the account the role admin; the headers of a login, once every process knows the role."""
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        headers = {"authorization": f"Bearer {(await answer.json())['access_token']}"}
    await promote(up, session, email, headers, "admin")
    return headers
