"""Password reset by mail: for whoever reads the mailbox, once, and without telling anybody which addresses are known."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from adapters.secrets.links import Links
from api.core import Core
from streams.log.outgoing import Outgoing
from tests.support.api_process import PASSWORD, House, Person, opened, with_limits
from tests.support.mails import link_text, requested_mails
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
BETTER = "seven quiet lighthouses"


async def reset(house: House, email: str, **headers: str) -> httpx.Response:
    return await house.client.post("/api/v1/auth/reset", json={"email": email}, headers=headers)


async def confirm(house: House, token: str, password: str = BETTER) -> httpx.Response:
    return await house.client.post("/api/v1/auth/reset/confirm", json={"token": token, "password": password})


async def log_in(house: House, person: Person, password: str) -> httpx.Response:
    return await house.client.post("/api/v1/auth/login", json={"email": person.email, "password": password})


async def test_a_link_sets_a_new_password_once_and_ends_every_session(house: House, ada: Person):
    """The mail on the log has no secret in it; a weak password does not use the link up, an older link dies with the newer's use."""
    assert (await reset(house, ada.email.upper(), **{"accept-language": "zh-CN,zh;q=0.9"})).status_code == 202
    assert (await reset(house, ada.email)).status_code == 202
    mails = await requested_mails(house.settings, ada.user["id"], 2)
    assert {(mail.template, mail.address) for mail in mails} == {("reset_password", ada.email)}
    assert {mail.language for mail in mails} == {"zh", "en"}
    first, second = [link_text(house.settings, mail) for mail in mails]
    assert not any(link.partition(".")[2] in msgspec.json.encode(mails).decode() for link in (first, second))
    is_problem(await confirm(house, second, "password1"), 400, "password_weak")
    answers = await asyncio.gather(*(confirm(house, second, f"{BETTER} {n}") for n in range(3)))
    assert sorted(answer.status_code for answer in answers) == [204, 403, 403]
    for answer in [*(each for each in answers if each.status_code != 204), await confirm(house, second), await confirm(house, first)]:
        assert is_problem(answer, 403, "link_invalid")["title_zh"]
    is_problem(await ada.call("GET", "/users/me"), 401, "session_ended")
    is_problem(await log_in(house, ada, PASSWORD), 401, "login_failed")
    chosen = next(n for n, answer in enumerate(answers) if answer.status_code == 204)
    assert (await log_in(house, ada, f"{BETTER} {chosen}")).status_code == 200


async def test_a_link_is_of_one_purpose_one_account_and_an_hour(house: House, ada: Person, bob: Person):
    await reset(house, ada.email)
    (mail,) = await requested_mails(house.settings, ada.user["id"], 1)
    assert mail.link is not None
    links, core = Links(house.settings.auth), house.ports(Core)
    left_s = (mail.link.expires_at - core.clock.now()).total_seconds()
    assert 3_590 < left_s <= 3_600
    for purpose, subject, binding, at in (
        ("verify_email", mail.link.subject, mail.link.binding, mail.link.expires_at),
        ("reset_password", bob.user["id"], mail.link.binding, mail.link.expires_at),
        ("reset_password", mail.link.subject, "none", mail.link.expires_at),
        ("reset_password", mail.link.subject, mail.link.binding, core.clock.now()),
    ):
        is_problem(await confirm(house, links.issue(purpose, subject, binding, at)), 403, "link_invalid")  # type: ignore[arg-type]
    is_problem(await confirm(house, "x"), 403, "link_invalid")
    assert (await ada.call("GET", "/users/me")).status_code == 200


async def test_nobody_learns_whether_an_address_is_known(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    """The response is the same, and does not wait for the log where there is a mail to request."""
    publisher = house.ports(Core).publisher
    publish: Callable[[Outgoing], Any] = publisher.publish
    gate = asyncio.Event()

    async def slow(outgoing: Outgoing) -> Any:
        await gate.wait()
        return await publish(outgoing)

    monkeypatch.setattr(publisher, "publish", slow)
    answers = []
    for email in (ada.email, f"{uuid.uuid4().hex}@example.com", "no address"):
        began_s = time.monotonic()
        answer = await reset(house, email)
        assert time.monotonic() - began_s < 5
        answers.append((answer.status_code, answer.content))
    assert answers == [(202, b'{"status":"accepted"}')] * 3
    gate.set()
    assert await requested_mails(house.settings, ada.user["id"], 1)


async def test_a_stranger_who_asks_for_many_mails_sends_few_and_locks_nobody_out(house: House):
    """An hour has three mails to an address; their links are good however often somebody asks."""
    async with opened(with_limits(house.settings)) as limited:
        ada = await limited.person()
        for _ in range(5):
            assert (await reset(limited, ada.email)).status_code == 202
        mails = await requested_mails(limited.settings, ada.user["id"], 3)
        assert (await confirm(limited, link_text(limited.settings, mails[0]))).status_code == 204
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await requested_mails(limited.settings, ada.user["id"], 4)
        for _ in range(5):
            answer = await reset(limited, "nobody@example.com")
        assert answer.status_code == 202
        assert is_problem(await reset(limited, "nobody@example.com"), 429, "rate_limited")["rule"] == "reset"
