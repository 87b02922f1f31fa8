"""Rate limits at the door: headers on every answer, a 429 that says what and when, addresses only through trusted proxies."""

import asyncio
import secrets
import time
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from api.accounts.sessions import LOGIN_PER_EMAIL
from api.core import Core
from api.http.ports import HttpPorts
from domain.accounts.records import email_scope
from domain.accounts.topics import ACCOUNTS_CHANGED
from schemas import ids
from schemas.records import AccountChanged
from streams.log.outgoing import Outgoing
from tests.support.api_process import PASSWORD, House, Person, opened, read_metrics, with_limits
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_headers_and_refusal(api_settings):
    """The most specific route rule, the tier's and the address's in one decision; the one that refuses is named."""
    async with opened(with_limits(api_settings, conversations_per_minute=1, messages_per_minute=50)) as house:
        ada = await house.person()
        answer = await ada.call("GET", "/conversations")
        assert answer.headers["ratelimit-policy"].startswith('"global";q=20000;w=120, "address";q=400')
        assert '"conversations";r=1;t=' in answer.headers["ratelimit"]
        assert answer.headers["x-ratelimit-limit"] == "2"
        assert answer.headers["x-ratelimit-remaining"] == "1"
        assert int(answer.headers["x-ratelimit-reset"]) > 0
        assert (await ada.call("GET", "/conversations")).status_code == 200
        refused = await ada.call("GET", "/conversations")
        problem = is_problem(refused, 429, "rate_limited")
        assert problem["rule"] == "conversations"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert (await ada.call("GET", "/users/me")).status_code == 200  # other routes are not held up
        bob = await house.person()
        assert (await bob.call("GET", "/conversations")).status_code == 200
        assert 'claw_limit_refusals_total{rule="conversations"} 1.0' in await read_metrics(house)
        for _ in range(50):
            assert (await house.client.get("/livez")).status_code == 200  # health is never limited


async def test_guessing_credentials_is_limited_by_address(api_settings):
    async with opened(with_limits(api_settings, address_per_minute=2)) as house:
        for _ in range(4):
            is_problem(await house.client.get("/api/v1/users/me", headers={"authorization": "Bearer x"}), 401, "unauthenticated")
        refused = await house.client.get("/api/v1/users/me", headers={"authorization": "Bearer x"})
        assert is_problem(refused, 429, "rate_limited")["rule"] == "address"


async def test_logins_are_limited_by_email(api_settings):
    async with opened(with_limits(api_settings, trusted_proxies="127.0.0.0/8")) as house:
        body = {"email": "ada@example.com", "password": "wrong"}
        began_s = time.monotonic()
        answers = [await house.client.post("/api/v1/auth/login", json=body) for _ in range(20)]
        refilled = (time.monotonic() - began_s) * 10 / 60  # hashing takes its time, and the bucket fills meanwhile
        refused = [answer for answer in answers if answer.status_code != 401]
        assert 10 <= 20 - len(refused) <= 10 + refilled
        assert {is_problem(answer, 429, "rate_limited")["rule"] for answer in refused} == {"login"}
        elsewhere = await house.client.post("/api/v1/auth/login", json=body, headers={"x-forwarded-for": "203.0.113.9"})
        is_problem(elsewhere, 401, "login_failed")


async def test_guessing_from_everywhere_does_not_lock_the_owner_out(api_settings):
    """The bucket of the e-mail is empty; where the owner logged in before it does not count, elsewhere it does."""
    async with opened(with_limits(api_settings, trusted_proxies="127.0.0.0/8")) as house:
        person = await house.person()

        async def log_in(address: str, password: str) -> httpx.Response:
            body = {"email": person.email, "password": password}
            return await house.client.post("/api/v1/auth/login", json=body, headers={"x-forwarded-for": address})

        assert (await log_in("198.51.100.7", PASSWORD)).status_code == 200
        limiting, scope = house.ports(HttpPorts).limiting, email_scope(person.email)
        for _ in range(LOGIN_PER_EMAIL.burst - 5):  # as guesses do, which are hashed besides
            await limiting.spend([(LOGIN_PER_EMAIL, scope)])
        guesses = await asyncio.gather(*(log_in(f"203.0.113.{number}", "wrong") for number in range(20)))
        assert {answer.status_code for answer in guesses} == {401, 429}
        while (await log_in(f"192.0.2.{secrets.randbelow(200)}", "wrong")).status_code != 429:
            pass  # tokens came back while the guesses were hashed
        is_problem(await log_in("203.0.113.200", PASSWORD), 429, "rate_limited")
        assert (await log_in("198.51.100.7", PASSWORD)).status_code == 200


@pytest.mark.parametrize(("trusted", "counted_apart"), [("", False), ("10.0.0.0/8", False), ("127.0.0.1/32", True)])
async def test_forwarded_addresses_count_only_behind_trusted_proxies(api_settings, trusted: str, counted_apart: bool):
    async with opened(with_limits(api_settings, address_per_minute=1, trusted_proxies=trusted)) as house:
        statuses = [
            (await house.client.post("/api/v1/auth/login", json={}, headers={"x-forwarded-for": f"203.0.113.{number}"})).status_code
            for number in range(4)
        ]
    assert statuses == ([422] * 4 if counted_apart else [422, 422, 429, 429])


LEVELS = {
    "global": {"global_per_minute": 1},
    "address": {"address_per_minute": 1},
    "user_free": {"user_free_per_minute": 1},
    "user_pro": {"user_pro_per_minute": 1},
    "user_enterprise": {"user_enterprise_per_minute": 1},
    "conversations": {"conversations_per_minute": 1},
}


@pytest.mark.parametrize("rule", LEVELS)
async def test_each_level_and_tier_refuses_under_its_own_name(api_settings, rule: str):
    """And no other bucket is touched by a refusal: whoever is allowed again finds them as they were."""
    async with opened(with_limits(api_settings, burst_factor=4, trusted_proxies="127.0.0.0/8", **LEVELS[rule])) as house:
        person = await house.person()
        await retiered(house, person, rule.removeprefix("user_") if rule.startswith("user_") else "free")
        here = {"x-forwarded-for": "203.0.113.50"}
        answers = [await person.call("GET", "/conversations", headers=here) for _ in range(6)]
        first = next(answer for answer in answers if answer.status_code == 429)
        assert is_problem(first, 429, "rate_limited")["rule"] == rule
        assert answers[-1].status_code == 429
        assert f'"{rule}";r=0;' in answers[-1].headers["ratelimit"]


async def test_a_request_takes_one_token_of_its_address(api_settings):
    """However many rules apply to it."""
    async with opened(with_limits(api_settings, trusted_proxies="127.0.0.0/8", address_per_minute=60)) as house:
        person, here = await house.person(), {"x-forwarded-for": "203.0.113.60"}
        before, after = [(await person.call("GET", "/conversations", headers=here)).headers["ratelimit"] for _ in range(2)]
        left = [int(text.split('"address";r=')[1].split(";")[0]) for text in (before, after)]
        assert left in ([119, 118], [119, 119])  # a token comes back every second


async def retiered(house: House, person: Person, tier: str) -> None:
    """Put somebody who has not called yet into another tier."""
    account = await house.ports(Core).read_models.accounts.get(person.user["id"], person.user["id"])
    assert account is not None
    event = AccountChanged(
        id=ids.derive("tier", account.id, tier),
        source="/claw/test",
        subject=account.id,
        time=datetime.now(UTC),
        tenant=account.tenant,
        traceparent="",
        data=msgspec.structs.replace(account, tier=tier, revision=account.revision + 1),
    )
    await house.ports(Core).records.change(Outgoing(ACCOUNTS_CHANGED, event))
