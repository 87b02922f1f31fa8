"""Webhooks over HTTP: a secret that is shown once, addresses that are refused, rotation, limits."""

import msgspec
import pytest

from api.notices.ports import NoticePorts
from domain.notices.topics import WEBHOOKS_CHANGED
from tests.support.api_people import promoted
from tests.support.api_process import House, Person
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")
URL = "https://hooks.example.com/claw?k=1"


async def test_a_webhook_lives(ada: Person):
    """Created, read, changed under its ETag, deleted; only the creation shows the secret."""
    made = await ada.call("POST", "/webhooks", json={"url": URL, "event_types": ["document.indexed", "document.indexed"]})
    assert made.status_code == 201
    webhook = made.json()
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["event_types"], webhook["enabled"], made.headers["cache-control"]) == (["document.indexed"], True, "no-store")
    read = await ada.call("GET", f"/webhooks/{webhook['id']}")
    assert "secret" not in read.json()
    changed = await ada.call("PATCH", f"/webhooks/{webhook['id']}", {"if-match": read.headers["etag"]}, json={"enabled": False})
    assert (changed.json()["enabled"], changed.json()["disabled"]) == (False, "owner")
    is_problem(await ada.call("PATCH", f"/webhooks/{webhook['id']}", {"if-match": read.headers["etag"]}, json={}), 412, "lost_update")
    assert (await ada.call("PATCH", f"/webhooks/{webhook['id']}", json={"enabled": True})).json()["disabled"] == ""
    assert (await ada.call("DELETE", f"/webhooks/{webhook['id']}")).status_code == 204
    is_problem(await ada.call("GET", f"/webhooks/{webhook['id']}"), 404, "not_found")
    assert (await ada.call("GET", "/webhooks")).json()["items"] == []


async def test_an_api_key_needs_the_scope(house: House, ada: Person):
    """Not by default; with it a key does what its account may do, and the audit log names the key."""
    await promoted(house, ada, "admin")
    keys = [(await ada.call("POST", "/api-keys", json={"name": "k", **scopes})).json() for scopes in ({}, {"scopes": ["webhooks"]})]
    plain, scoped = ({"authorization": f"Bearer {key['key']}"} for key in keys)
    assert "scope webhooks" in is_problem(await ada.call("POST", "/webhooks", plain, json={"url": URL}), 403, "forbidden")["detail"]
    webhook = (await ada.call("POST", "/webhooks", scoped, json={"url": URL})).json()
    assert (await ada.call("POST", f"/webhooks/{webhook['id']}/test", scoped)).status_code == 202
    assert (await ada.call("GET", f"/webhooks/{webhook['id']}")).json()["url"] == URL
    (entry,) = (await ada.call("GET", "/audit", params={"action": "webhook.", "actor": keys[1]["id"]})).json()["items"]
    assert (entry["action"], entry["target"]) == ("webhook.create", webhook["id"])


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://2130706433/",
        "https://hooks.example.com:8443/",
        "https://user:secret@hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks",
    ],
)
async def test_an_address_that_is_not_public_https_is_refused_with_the_reason(ada: Person, url: str):
    problem = is_problem(await ada.call("POST", "/webhooks", json={"url": url}), 422, "webhook_url_refused")
    (error,) = problem["errors"]
    assert error["field"] == "url"
    assert error["detail"]
    assert error["limit"]
    assert (await ada.call("GET", "/webhooks")).json()["items"] == []


async def test_a_rotation_keeps_the_secret_before_for_a_day(house: House, ada: Person):
    """A repeat of the request does not rotate twice."""
    made = (await ada.call("POST", "/webhooks", json={"url": URL})).json()
    first = await ada.call("POST", f"/webhooks/{made['id']}/secret", {"idempotency-key": "r1"})
    again = await ada.call("POST", f"/webhooks/{made['id']}/secret", {"idempotency-key": "r1"})
    assert first.json() == again.json()
    assert first.json()["secret"] != made["secret"]
    ports = house.ports(NoticePorts)
    stored = await ports.webhooks.get(ada.user["id"], made["id"])
    assert stored is not None
    assert ports.secrets.open(stored, house.ports(NoticePorts).core.clock.now()) == [first.json()["secret"], made["secret"]]
    later = msgspec.structs.replace(stored, previous_until=stored.created_at)
    assert ports.secrets.open(later, ports.core.clock.now()) == [first.json()["secret"]]
    on_the_log = msgspec.json.encode(stored).decode()
    assert first.json()["secret"][6:] not in on_the_log, f"{WEBHOOKS_CHANGED.name} has no secret in clear"


async def test_an_account_has_at_most_so_many(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    ports = house.ports(NoticePorts)
    few = msgspec.structs.replace(ports.settings, endpoints_max=1)
    object.__setattr__(ports, "settings", few)
    try:
        made = await ada.call("POST", "/webhooks", {"idempotency-key": "w"}, json={"url": URL})
        problem = is_problem(await ada.call("POST", "/webhooks", json={"url": URL}), 409, "webhooks_full")
        assert "CLAW_WEBHOOK_ENDPOINTS_MAX" in problem["detail"]
        assert (await ada.call("POST", "/webhooks", {"idempotency-key": "w"}, json={"url": URL})).json() == made.json()
    finally:
        object.__setattr__(ports, "settings", msgspec.structs.replace(few, endpoints_max=20))
