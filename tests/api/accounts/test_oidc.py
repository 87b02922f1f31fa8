"""Logins at an identity provider that speaks the real protocol, from a browser's first request to its session."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.app import create_app
from api.core import Core
from domain.accounts.records import find_account, find_password
from domain.accounts.settings import OidcSettings
from schemas.errors import ConfigurationError
from schemas.settings import AuthSettings, Settings
from schemas.settings.section import Secret
from tests.support.api_process import PASSWORD, House, opened
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
BEGIN, CALLBACK = "/api/v1/auth/oidc/test", "/api/v1/auth/oidc/test/callback"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def joined(there: Provider, api_settings: Settings) -> AsyncIterator[House]:
    """An API process that knows the provider."""
    oidc = OidcSettings(
        provider="test",
        title="Test Works",
        issuer=there.issuer,
        client_id=CLIENT_ID,
        client_secret=Secret(CLIENT_SECRET),
        role_groups="admin=staff,operator=sre",
    )
    async with opened(replace(api_settings, areas=(*api_settings.areas, oidc))) as running:
        yield running


@pytest.fixture
def person(there: Provider) -> dict[str, Any]:
    """Somebody new at the provider."""
    there.person = {"sub": uuid.uuid4().hex, "email": f"{uuid.uuid4().hex}@example.org", "email_verified": True, "name": "Ada"}
    there.tamper = lambda _claims: None
    return there.person


@asynccontextmanager
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=house.client.base_url, timeout=20) as client:
        yield client


async def go_there(client: httpx.AsyncClient, return_to: str = "/home") -> str:
    """Begin a login, and log in at the provider; the address that the browser comes back to."""
    begun = await client.get(BEGIN, params={"return_to": return_to})
    assert begun.status_code == 303, begun.text
    agreed = await client.get(begun.headers["location"])
    assert agreed.status_code == 302
    return str(agreed.headers["location"])


async def log_in(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(await go_there(client))
    assert (answer.status_code, answer.headers.get("location")) == (303, "/home"), answer.text
    session = (await client.get("/api/v1/auth/session")).json()
    assert session["session"]["kind"] == "cookie"
    return dict(session)


async def test_a_person_is_the_same_account_whatever_their_address_becomes(joined: House, person: dict[str, Any]):
    """The first login creates it, without a password; its tokens are in cookies alone, and the cookie of the attempt is gone."""
    async with browser(joined) as client:
        session = await log_in(client)
        assert (session["user"]["email"], session["user"]["name"], session["user"]["verified"]) == (person["email"], "Ada", True)
        assert {cookie.name for cookie in client.cookies.jar} == {"claw_access", "claw_refresh"}
        headers = {"x-csrf-token": session["csrf_token"]}
        assert (await client.post("/api/v1/conversations", json={}, headers=headers)).status_code == 201
    assert await find_password(joined.ports(Core).read_models, session["user"]["id"]) is None
    began_s = time.perf_counter()
    failed = await joined.client.post("/api/v1/auth/login", json={"email": person["email"], "password": PASSWORD})
    is_problem(failed, 401, "login_failed")
    assert time.perf_counter() - began_s > 0.01  # a hash was computed, as for a wrong password
    person["email"] = f"{uuid.uuid4().hex}@example.org"
    async with browser(joined) as client:
        assert (await log_in(client))["user"]["id"] == session["user"]["id"]


async def test_an_address_alone_is_nobody(joined: House, person: dict[str, Any]):
    """Whoever registers the address of somebody at the provider does not get into their account."""
    ada = await joined.person()
    person["email"] = ada.email.upper()
    async with browser(joined) as client:
        is_problem(await client.get(await go_there(client)), 409, "oidc_email_taken")
        person["email"] = ""
        is_problem(await client.get(await go_there(client)), 403, "oidc_email_missing")
        assert not {"claw_access", "claw_refresh"} & {cookie.name for cookie in client.cookies.jar}


async def test_groups_give_roles_at_every_login(joined: House, person: dict[str, Any]):
    person["groups"] = ["sre", "staff"]
    async with browser(joined) as client:
        assert (await log_in(client))["user"]["role"] == "operator"
        assert (await client.get("/api/v1/rate-limits/rules")).status_code == 200
        person["groups"] = ["staff"]
        assert (await log_in(client))["user"]["role"] == "admin"
        person["groups"] = "sre"  # no list
        assert (await log_in(client))["user"]["role"] == "user"
        is_problem(await client.get("/api/v1/rate-limits/rules"), 403, "forbidden")


async def test_a_login_ends_in_the_browser_where_it_began_once(joined: House, person: dict[str, Any]):
    """Somebody else's answer logs nobody in (login CSRF); a state, a code and a cookie are used once."""
    async with browser(joined) as mallory, browser(joined) as client:
        stolen = await go_there(mallory)
        is_problem(await client.get(stolen), 403, "oidc_state_invalid")
        back = await go_there(client)
        is_problem(await client.get(back.replace("state=", "state=x")), 403, "oidc_state_invalid")
        other = await go_there(client)  # another tab
        assert (await client.get(back)).status_code == 303
        is_problem(await client.get(back), 403, "oidc_state_invalid")
        code = httpx.URL(back).params["code"]
        is_problem(await client.get(str(httpx.URL(other).copy_set_param("code", code))), 401, "oidc_refused")
    assert person["sub"]


@pytest.mark.parametrize(
    "change",
    [
        lambda claims: claims.update(iss="https://another.example"),
        lambda claims: claims.update(aud="another client"),
        lambda claims: claims.update(nonce="of another login"),
        lambda claims: claims.update(exp=1),
    ],
)
async def test_a_token_of_another_issuer_client_login_or_time(
    joined: House, there: Provider, person: dict[str, Any], change: Callable[[dict[str, Any]], None]
):
    there.tamper = change
    async with browser(joined) as client:
        problem = is_problem(await client.get(await go_there(client)), 401, "oidc_refused")
        assert all(problem[name] for name in ("remedy", "title_zh", "remedy_zh"))
        is_problem(await client.get("/api/v1/users/me"), 401, "unauthenticated")
    assert await find_account(joined.ports(Core).read_models, person["email"]) is None


async def test_what_a_callback_may_carry(joined: House, person: dict[str, Any]):
    async with browser(joined) as client:
        for text, replacement in (("code=", "error=access_denied&x="), ("code=", "x="), ("iss=", "iss=https://another.example&x=")):
            back = await go_there(client)
            is_problem(await client.get(back.replace(text, replacement)), 401, "oidc_refused")
        for elsewhere in ("//evil.example", "https://evil.example/", "/\\evil.example", "home", "", "/a\r\nb"):
            answer = await client.get(BEGIN, params={"return_to": elsewhere})
            assert is_problem(answer, 422, "validation_failed")["errors"][0]["field"] == "query.return_to"
        is_problem(await client.get("/api/v1/auth/oidc/other"), 404, "not_found")
    assert person["sub"]


async def test_without_a_provider_there_are_no_such_logins(house: House):
    is_problem(await house.client.get(BEGIN), 404, "not_found")


async def test_a_sign_in_page_learns_of_the_provider_and_of_a_login_that_failed(joined: House, house: House, person: dict[str, Any]):
    """A browser is led to the page with the code; the refused login opened no session."""
    assert (await joined.client.get("/api/v1/auth/oidc")).json()["items"] == [{"name": "test", "title": "Test Works"}]
    assert (await house.client.get("/api/v1/auth/oidc")).json() == {"items": [], "next_cursor": None}
    page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with browser(joined) as client:
        for address, code in (
            (f"{CALLBACK}?state=forged&code=x", "oidc_state_invalid"),
            (f"{BEGIN}?return_to=//evil.example", "validation_failed"),
            (f"{await go_there(client)}&error=access_denied", "oidc_refused"),
        ):
            answer = await client.get(address, headers=page)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?problem={code}"), answer.text
        assert (await client.get("/api/v1/auth/session")).status_code == 401
        assert (await client.get(await go_there(client), headers=page)).headers["location"] == "/home"


@pytest.mark.parametrize("wrong", [{"issuer": "http://id.example.org"}, {"issuer": ""}, {"issuer": "https://a.b", "role_groups": "root=x"}])
async def test_settings_that_cannot_work(wrong: dict[str, str]):
    settings = Settings(auth=AuthSettings(secret=Secret("s" * 32)), areas=(OidcSettings(provider="test", **wrong),))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="CLAW_OIDC_"):
        create_app(settings)
