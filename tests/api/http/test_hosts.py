"""Which names of the API are its own."""

import httpx
import msgspec
import pytest

from api.http.hosts import AllowedHosts
from schemas.errors import ConfigurationError, Refused
from schemas.settings import HttpSettings, NodeSettings, Settings
from tests.support.api_process import House, opened
from tests.support.problems import is_problem


def hosts(listed: str = "", *, host: str = "127.0.0.1", public_url: str = "") -> AllowedHosts:
    return AllowedHosts(Settings(node=NodeSettings(host=host, public_url=public_url), http=HttpSettings(hosts=listed)))


def is_allowed(allowed: AllowedHosts, host: str) -> bool:
    try:
        allowed.check([host])
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1:8000",
        "127.8.0.1",
        "[::1]:8000",
        "claw.localhost",
        "host.docker.internal:8000",
        "localhost.",
    ],
)
def test_on_loopback_the_names_of_this_machine_are_allowed(host: str):
    assert is_allowed(hosts(), host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[2001:db8::1]", ""])
def test_on_loopback_no_other_is(host: str):
    """A page that has its own name resolve to 127.0.0.1 would else read what the person's programs may read."""
    assert not is_allowed(hosts(), host)


def test_the_public_url_is_one_of_them():
    allowed = hosts(public_url="https://claw.example.org/base")
    assert is_allowed(allowed, "claw.example.org")
    assert is_allowed(allowed, "localhost:8000")
    assert not is_allowed(allowed, "example.org")


def test_elsewhere_any_name_is_allowed_until_some_are_listed():
    assert is_allowed(hosts(host="0.0.0.0"), "anything.example")
    allowed = hosts("Claw.example.org, *.claw.example", host="0.0.0.0")
    assert is_allowed(allowed, "claw.example.org:443")
    assert is_allowed(allowed, "a.b.claw.example")
    assert not is_allowed(allowed, "claw.example")
    assert not is_allowed(allowed, "127.0.0.1")
    assert is_allowed(hosts("*"), "evil.example")


@pytest.mark.parametrize("listed", ["https://claw.example.org", "claw.example.org:8000", "a b", "x.*.org"])
def test_what_is_no_name_is_refused_at_the_start(listed: str):
    with pytest.raises(ConfigurationError, match="CLAW_HTTP_HOSTS"):
        hosts(listed)


@pytest.mark.parametrize("given", [[], ["localhost", "localhost"]])
def test_a_request_has_one_host(given: list[str]):
    with pytest.raises(Refused, match="one Host header"):
        hosts("*").check(given)


@pytest.mark.asyncio(loop_scope="session")
async def test_another_name_is_refused_before_the_credential_is_read(house: House):
    headers = {"Host": "evil.example", "Authorization": "Bearer x"}
    answer = await house.client.get("/api/v1/conversations", headers=headers)
    is_problem(answer, 421, "host_refused")
    assert "CLAW_HTTP_HOSTS" in answer.json()["detail"]
    assert (await house.client.get("/livez", headers=headers)).status_code == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_listed_names_are_served(api_settings: Settings):
    async with opened(msgspec.structs.replace(api_settings, http=HttpSettings(hosts="claw.example.org"))) as house:
        answer = await house.client.get("/api/v1/conversations", headers={"Host": "claw.example.org"})
        assert answer.status_code == httpx.codes.UNAUTHORIZED
