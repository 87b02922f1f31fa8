"""Organisations: a name, members by invitation, and the keys of the members."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from api.accounts.ports import AccountPorts
from api.core import Core
from domain.accounts.invitations import INVITATIONS, LISTED
from domain.accounts.topics import INVITATIONS_CHANGED
from domain.notices.topics import MAILS_REQUESTED
from schemas import ids
from schemas.records import InvitationChanged
from schemas.settings import Settings
from streams.log.outgoing import Outgoing
from tests.support.api_people import colleague, promoted, tenant_of
from tests.support.api_process import PASSWORD, House, Person, opened
from tests.support.problems import is_problem
from tests.support.reply_speaker import first_event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def invite(person: Person, key: str = "", **body: Any) -> dict[str, Any]:
    headers = {"idempotency-key": key} if key else {}
    answer = await person.call("POST", "/organisation/invitations", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def register(house: House, invitation: str, email: str = "") -> httpx.Response:
    body = {"email": email or f"{uuid.uuid4().hex}@example.com", "password": PASSWORD, "invitation": invitation}
    return await house.client.post("/api/v1/auth/register", json=body)


async def test_a_name(house: House, ada: Person, bob: Person) -> None:
    """Members read it, admins change it, with an ETag."""
    await promoted(house, ada, "admin")
    member = await colleague(house, ada)
    first = await member.call("GET", "/organisation")
    assert first.json() == {"id": tenant_of(ada), "name": "", "created_at": ada.user["created_at"]}
    is_problem(await member.call("PATCH", "/organisation", json={"name": "Acme"}), 403, "forbidden")
    changed = await ada.call("PATCH", "/organisation", json={"name": "Acme"}, headers={"if-match": first.headers["etag"]})
    assert changed.json() == first.json() | {"name": "Acme"}
    is_problem(
        await ada.call("PATCH", "/organisation", json={"name": "x"}, headers={"if-match": first.headers["etag"]}), 412, "lost_update"
    )
    assert (await member.call("GET", "/organisation")).json()["name"] == "Acme"
    assert (await bob.call("GET", "/organisation")).json()["name"] == ""


@pytest.mark.parametrize("role", ["user", "admin"])
async def test_who_is_invited_joins(house: House, ada: Person, role: str) -> None:
    """In the role, with a knowledge base of their own, once; the second one changes nothing."""
    await promoted(house, ada, "admin")
    made = await invite(ada, role=role)
    answer = await register(house, made["invitation"])
    assert answer.status_code == 201, answer.text
    member = Person(house, answer.json()["access_token"], answer.json()["user"], answer.json()["user"]["email"])
    assert (tenant_of(member), member.user["role"], member.user["verified"]) == (tenant_of(ada), role, False)
    assert member.base != ada.base
    assert (await member.call("GET", f"/knowledge/{member.base}")).status_code == 200
    is_problem(await member.call("GET", f"/knowledge/{ada.base}"), 404, "not_found")
    is_problem(await member.call("DELETE", f"/knowledge/{member.base}"), 403, "forbidden")
    before = (await ada.call("GET", "/organisation/members")).json()
    assert [item["id"] for item in before["items"]] == [member.user["id"], ada.user["id"]]
    problem = is_problem(await register(house, made["invitation"]), 403, "invitation_invalid")
    assert (problem["errors"][0]["field"], bool(problem["title_zh"])) == ("invitation", True)
    assert (await ada.call("GET", "/organisation/members")).json() == before
    (listed,) = (await ada.call("GET", "/organisation/invitations")).json()["items"]
    assert (listed["id"], listed["state"], listed["account_id"]) == (made["id"], "used", member.user["id"])
    assert (listed["role"], listed["invited_by"]) == (role, ada.user["id"])
    actions = [item["action"] for item in (await ada.call("GET", "/audit", params={"action": "invitation."})).json()["items"]]
    assert actions == ["invitation.accept", "invitation.create"]


async def test_of_many_at_once_one_joins(house: House, ada: Person) -> None:
    await promoted(house, ada, "admin")
    made = await invite(ada)
    answers = await asyncio.gather(*(register(house, made["invitation"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    assert len((await ada.call("GET", "/organisation/members")).json()["items"]) == 2


@pytest.mark.parametrize("registration", ["closed", "invitation"])
async def test_it_lets_in_wherever_registration_stands(api_settings: Settings, house: House, ada: Person, registration: str) -> None:
    """Its holder alone."""
    await promoted(house, ada, "admin")
    made = await invite(ada)
    auth = msgspec.structs.replace(api_settings.auth, registration=registration)
    async with opened(msgspec.structs.replace(api_settings, auth=auth)) as other:
        code = "registration_closed" if registration == "closed" else "invitation_invalid"
        is_problem(await register(other, "invite_guessed"), 403, code)
        assert (await register(other, made["invitation"])).status_code == 201


async def test_an_invitation_is_for_its_address_until_it_expires_or_is_deleted(house: House, ada: Person, bob: Person) -> None:
    """Its text is on no topic and in no list; another tenant's admin cannot see or delete it."""
    await promoted(house, ada, "admin")
    await promoted(house, bob, "admin")
    email = f"{uuid.uuid4().hex}@example.com"
    made = await invite(ada, email=email)
    is_problem(await register(house, made["invitation"]), 403, "invitation_invalid")
    event = await first_event(house.settings, INVITATIONS_CHANGED, made["id"])
    listed = await ada.call("GET", "/organisation/invitations")
    assert made["invitation"] not in msgspec.json.encode(event).decode() + listed.text
    path = f"/organisation/invitations/{made['id']}"
    assert (await bob.call("GET", "/organisation/invitations")).json()["items"] == []
    is_problem(await bob.call("DELETE", path), 404, "not_found")
    assert (await ada.call("DELETE", path)).status_code == 204
    is_problem(await register(house, made["invitation"], email), 403, "invitation_invalid")
    is_problem(await ada.call("DELETE", path), 404, "not_found")
    made = await invite(ada)
    await expire(house, made["id"])
    is_problem(await register(house, made["invitation"]), 403, "invitation_invalid")
    assert [each["state"] for each in (await ada.call("GET", "/organisation/invitations")).json()["items"]] == ["expired"]
    is_problem(await ada.call("POST", "/organisation/invitations", json={"role": "operator"}), 422, "validation_failed")


async def test_an_invitation_by_mail(house: House, ada: Person) -> None:
    """The link that the mail's sender makes of what is on the log lets its address in, and no other; the text itself is on no topic."""
    await promoted(house, ada, "admin")
    await ada.call("PATCH", "/organisation", json={"name": "Acme"})
    email = f"{uuid.uuid4().hex}@example.com"
    made = await invite(ada, email=email, language="zh")
    mail = (await first_event(house.settings, MAILS_REQUESTED, ids.derive("invitation-mail", made["id"]))).data
    assert (mail.address, mail.template, mail.language) == (email, "invitation", "zh")
    assert mail.fields == {"organisation": "Acme", "inviter": "Ada"}
    assert made["invitation"] not in msgspec.json.encode(mail).decode()
    links, (purpose, subject, binding, expires_at) = house.ports(AccountPorts).links, msgspec.structs.astuple(mail.link)
    link = links.issue(purpose, subject, binding, expires_at)
    for text in (link[:-1], links.issue("verify_email", subject, binding, expires_at), links.issue(purpose, subject, binding, EPOCH)):
        is_problem(await register(house, text, email), 403, "invitation_invalid")
    is_problem(await register(house, link), 403, "invitation_invalid")
    answer = await register(house, link, email)
    assert answer.status_code == 201, answer.text
    assert answer.json()["user"]["verified"] is True
    is_problem(await register(house, made["invitation"], email), 409, "email_taken")
    assert [each["state"] for each in (await ada.call("GET", "/organisation/invitations")).json()["items"]] == ["used"]


async def expire(house: House, invitation: str) -> None:
    core = house.ports(Core)
    present = await core.read_models.of(INVITATIONS).get(LISTED, invitation)
    assert present is not None
    past = msgspec.structs.replace(present, expires_at=core.clock.now() - timedelta(seconds=1))
    event = InvitationChanged(
        id=str(uuid.uuid4()), source="/claw/test", subject=past.id, time=core.clock.now(), tenant=past.tenant, traceparent="", data=past
    )
    await core.records.change(Outgoing(INVITATIONS_CHANGED, event))


async def test_a_repeat_has_the_same_text(house: House, ada: Person) -> None:
    """Which is stored nowhere; another body with the same key is refused; what was deleted does not come back."""
    await promoted(house, ada, "admin")
    made = await invite(ada, "once", role="admin")
    assert await invite(ada, "once", role="admin") == made
    answer = await ada.call("POST", "/organisation/invitations", json={}, headers={"idempotency-key": "once"})
    is_problem(answer, 409, "idempotency_conflict")
    await ada.call("DELETE", f"/organisation/invitations/{made['id']}")
    answer = await ada.call("POST", "/organisation/invitations", json={"role": "admin"}, headers={"idempotency-key": "once"})
    is_problem(answer, 410, "deleted_since")


async def test_an_admin_sees_and_revokes_the_keys_of_members(house: House, ada: Person, bob: Person) -> None:
    """Without their secrets; not those of another tenant."""
    await promoted(house, ada, "admin")
    member = await colleague(house, ada)
    made = (await member.call("POST", "/api-keys", json={"name": "import"})).json()
    theirs = (await bob.call("POST", "/api-keys", json={"name": "x"})).json()
    is_problem(await member.call("GET", "/organisation/api-keys"), 403, "forbidden")
    (listed,) = (await ada.call("GET", "/organisation/api-keys")).json()["items"]
    assert (listed["id"], listed["account_id"], "key" in listed) == (made["id"], member.user["id"], False)
    is_problem(await ada.call("DELETE", f"/organisation/api-keys/{theirs['id']}"), 404, "not_found")
    assert (await ada.call("DELETE", f"/organisation/api-keys/{made['id']}")).status_code == 204
    await asyncio.sleep(1.1)
    answer = await house.client.get("/api/v1/knowledge", headers={"authorization": f"Bearer {made['key']}"})
    is_problem(answer, 401, "unauthenticated")
    assert (await member.call("GET", "/api-keys")).json()["items"] == []
    is_problem(await ada.call("DELETE", f"/organisation/api-keys/{made['id']}"), 404, "not_found")
