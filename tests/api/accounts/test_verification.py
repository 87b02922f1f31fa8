"""The proof of an address, and who may register with which."""

import uuid
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adapters.secrets.links import Links
from tests.support.api_process import PASSWORD, House, Person, opened, with_limits
from tests.support.mails import link_text, requested_mails
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


def demanding(house: House, **auth: Any) -> AbstractAsyncContextManager[House]:
    settings = with_limits(house.settings, enabled=False)
    return opened(replace(settings, auth=replace(settings.auth, **auth)))


async def confirm(house: House, token: str) -> httpx.Response:
    return await house.client.post("/api/v1/auth/verify/confirm", json={"token": token})


async def test_an_address_is_verified_by_the_link_in_a_mail(house: House, ada: Person):
    """Without being required; a repeat is accepted, and no further mail is sent."""
    assert not ada.user["verified"]
    assert (await ada.call("POST", "/auth/verify")).status_code == 202
    (mail,) = await requested_mails(house.settings, ada.user["id"], 1)
    assert mail.link is not None
    elsewhere = Links(house.settings.auth).issue("verify_email", ada.user["id"], "another address", mail.link.expires_at)
    for token in (elsewhere, "x"):
        is_problem(await confirm(house, token), 403, "link_invalid")
    for _ in range(2):
        assert (await confirm(house, link_text(house.settings, mail))).status_code == 204
    assert (await ada.call("GET", "/users/me")).json()["verified"]
    assert (await ada.call("POST", "/auth/verify")).status_code == 202


async def test_where_it_is_required_an_unverified_account_only_manages_its_sessions(house: House):
    """The mail is on its way when somebody has registered; after its link everything is open, at once."""
    async with demanding(house, verified_required=True) as strict:
        ada = await strict.person()
        for method, path in (("GET", "/conversations"), ("POST", "/api-keys"), ("GET", "/knowledge")):
            problem = is_problem(await ada.call(method, path, json={"name": "k"} if method == "POST" else None), 403, "email_unverified")
            assert all(problem[name] for name in ("remedy", "title_zh", "remedy_zh"))
        for path in ("/users/me", "/auth/session", "/auth/sessions"):
            assert (await ada.call("GET", path)).status_code == 200
        (mail,) = await requested_mails(strict.settings, ada.user["id"], 1)
        assert (await confirm(strict, link_text(strict.settings, mail))).status_code == 204
        assert (await ada.call("GET", "/conversations")).status_code == 200


async def test_domains(house: House):
    """Only addresses of them may register, and have to be verified."""
    async with demanding(house, registration_domains="Example.org, @example.net") as strict:

        async def register(email: str) -> httpx.Response:
            return await strict.client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD})

        name = uuid.uuid4().hex
        for domain in ("example.com", "sub.example.org", "example.org.evil.example"):
            is_problem(await register(f"{name}@{domain}"), 403, "email_domain_refused")
        for domain in ("EXAMPLE.org", "example.net"):
            answer = await register(f"{name}@{domain}")
            assert answer.status_code == 201, answer.text
            headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
            is_problem(await strict.client.get("/api/v1/conversations", headers=headers), 403, "email_unverified")
