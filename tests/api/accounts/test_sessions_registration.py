"""Who may register: everybody, nobody, or who was invited."""

import asyncio
import os
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from domain.accounts.invitations import PREFIX, new_invitation
from domain.accounts.topics import INVITATIONS_CHANGED
from ops.commands import invitations
from ops.commands.operator_records import open_operator_records
from schemas import ids
from schemas.errors import ConfigurationError, Refused
from schemas.records import InvitationChanged
from schemas.settings import Settings
from tests.support.api_process import PASSWORD, House, opened, with_limits
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


def with_registration(settings: Settings, registration: str) -> Settings:
    return with_auth(with_limits(settings, enabled=False), registration=registration)


def with_auth(settings: Settings, **auth: object) -> Settings:
    return msgspec.structs.replace(settings, auth=msgspec.structs.replace(settings.auth, **auth))


async def register(house: House, invitation: str = "", email: str = "", key: str = ""):
    body = {"email": email or f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    headers = {"idempotency-key": key} if key else {}
    return await house.client.post("/api/v1/auth/register", json=body | ({"invitation": invitation} if invitation else {}), headers=headers)


async def invite(settings: Settings, capsys: pytest.CaptureFixture[str], email: str = "") -> str:
    capsys.readouterr()
    assert await invitations.create(settings, email, 7) == 0
    return next(line for line in capsys.readouterr().out.splitlines() if line.startswith(PREFIX))  # the process may log beside it


async def test_closed(api_settings: Settings):
    async with opened(with_registration(api_settings, "closed")) as house:
        assert is_problem(await register(house), 403, "registration_closed")["title_zh"] == "注册已关闭"


async def test_an_invitation_lets_one_person_in(api_settings: Settings, capsys: pytest.CaptureFixture[str]):
    """Once, however many try at the same time; a repeat of that registration is let in again; the log has its hash only."""
    settings = with_registration(api_settings, "invitation")
    async with opened(settings) as house, opened(settings) as other:
        is_problem(await register(house), 403, "invitation_required")
        is_problem(await register(house, "invite_guessed"), 403, "invitation_invalid")
        text = await invite(settings, capsys)
        answers = await asyncio.gather(
            *(register((house, other)[n % 2], text, f"{n}-{text[7:20]}@example.com", f"{text}{n}") for n in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [403] * 5
        first = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
        for n, answer in enumerate(answers):
            if n != first:
                is_problem(answer, 403, "invitation_invalid")
        again = await register(other, text, f"{first}-{text[7:20]}@example.com", f"{text}{first}")
        assert again.status_code == 201
        assert again.json()["user"]["id"] == answers[first].json()["user"]["id"]
        assert await invitations.list_(settings) == 0
        listed = capsys.readouterr().out
        assert f"used by {again.json()['user']['id']}" in listed
        assert text not in listed


async def test_for_one_address_until_it_expires_or_is_revoked(api_settings: Settings, capsys: pytest.CaptureFixture[str]):
    """All look alike to who tries; an address that is taken uses no invitation up."""
    settings = with_registration(api_settings, "invitation")
    email = f"{uuid.uuid4().hex}@example.com"
    async with opened(settings) as house:
        text = await invite(settings, capsys, email)
        is_problem(await register(house, text), 403, "invitation_invalid")
        assert (await register(house, text, email.upper())).status_code == 201
        text = await invite(settings, capsys)
        is_problem(await register(house, text, email), 409, "email_taken")
        assert (await register(house, text)).status_code == 201
        async with open_operator_records(settings) as writer:
            past = datetime.now(UTC) - timedelta(seconds=1)
            text, expired = new_invitation(os.urandom, past, past)
            await writer.records.change(writer.outgoing(INVITATIONS_CHANGED, InvitationChanged, ids.INSTALLATION, expired.id, expired))
        is_problem(await register(house, text), 403, "invitation_invalid")
        await invitations.revoke(settings, expired.id[:12])
        text = await invite(settings, capsys)
        await invitations.list_(settings)
        unused = next(line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith("unused"))
        await invitations.revoke(settings, unused)
        is_problem(await register(house, text), 403, "invitation_invalid")
        with pytest.raises(Refused, match="0 unused"):
            await invitations.revoke(settings, unused)
        with pytest.raises(ConfigurationError, match="--days"):
            await invitations.create(settings, "", 1_000)


async def test_a_weak_password_is_refused_and_a_registration_of_before_is_repeated(api_settings: Settings, house: House):
    """The field and the remedy are named. What the settings require since does not turn a repeat of a registration away."""
    body, key = {"email": f"{uuid.uuid4().hex}@example.com", "password": "password1"}, {"idempotency-key": uuid.uuid4().hex}

    async def attempt(house: House) -> httpx.Response:
        return await house.client.post("/api/v1/auth/register", json=body, headers=key)

    problem = is_problem(await attempt(house), 400, "password_weak")
    assert [each["field"] for each in problem["errors"]] == ["password"]
    assert all(problem[name] for name in ("detail", "remedy", "title_zh", "remedy_zh"))
    assert "password1" not in str(problem)
    async with opened(with_auth(api_settings, strength_min=0)) as before:
        first = await attempt(before)
    assert first.status_code == 201, first.text
    async with opened(with_auth(api_settings, registration="closed")) as closed:
        for since in (house, closed):
            again = await attempt(since)
            assert again.status_code == 201, again.text
            assert again.json()["user"] == first.json()["user"]
        body["email"] = f"{uuid.uuid4().hex}@example.com"
        is_problem(await attempt(closed), 403, "registration_closed")
