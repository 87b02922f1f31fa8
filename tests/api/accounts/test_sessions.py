"""Accounts, sessions, keys: who gets in, and how little is said to those who do not."""

import hashlib
import time
import uuid
from datetime import timedelta

import jwt
import msgspec
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from adapters.secrets.tokens import AccessTokens
from api.app import create_app
from api.core import Core
from api.http.identity import Identities
from domain.accounts.records import email_scope, find_password
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED, SESSIONS_CHANGED
from domain.areas import TOPICS
from schemas import ids
from schemas.errors import ConfigurationError, Refused
from schemas.records import AccountChanged, CredentialChanged
from schemas.settings import AuthSettings, Settings
from schemas.settings.section import Secret
from streams.log.outgoing import Outgoing
from tests.support.api_process import PASSWORD, House, Person, lose
from tests.support.problems import is_problem
from tests.support.reply_speaker import TRACE, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_register_then_log_in(house: House, ada: Person):
    """A personal tenant with a default knowledge base; both answers carry a token that works."""
    answer = await house.client.post("/api/v1/auth/login", json={"email": ada.email.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    session = answer.json()
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 3600
    me = await house.client.get("/api/v1/users/me", headers={"authorization": f"bearer {session['access_token']}"})
    assert me.json() == ada.user
    bases = (await ada.call("GET", "/knowledge")).json()["items"]
    assert [base["id"] for base in bases] == [ada.base]


async def test_password_is_on_the_credentials_topic_alone(house: House, ada: Person):
    account = await first_event(house.settings, ACCOUNTS_CHANGED, ada.user["id"])
    assert "argon2" not in msgspec.json.encode(account).decode()
    stored = await find_password(house.ports(Core).read_models, ada.user["id"])
    assert stored is not None
    assert stored.secret_hash.startswith("$argon2id$")
    credential = await first_event(house.settings, CREDENTIALS_CHANGED, stored.id)
    assert credential.data.secret_hash == stored.secret_hash
    assert {CREDENTIALS_CHANGED, INVITATIONS_CHANGED, SESSIONS_CHANGED} <= {topic for topic in TOPICS if topic.private}


async def test_email_is_unique(house: House, ada: Person):
    """Whatever its case; and a repeat of the registration with its key is let in again."""
    body = {"email": ada.email.title(), "password": PASSWORD}
    is_problem(await house.client.post("/api/v1/auth/register", json=body), 409, "email_taken")
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    key = {"idempotency-key": "once"}
    first = await house.client.post("/api/v1/auth/register", json=body, headers=key)
    second = await house.client.post("/api/v1/auth/register", json=body, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["user"] == second.json()["user"]
    other = await house.client.post("/api/v1/auth/register", json=body | {"password": "something else"}, headers=key)
    is_problem(other, 409, "email_taken")


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@example.com\n", "a@b", "x" * 250 + "@x.com"])
async def test_emails_that_are_none(house: House, email: str):
    answer = await house.client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD})
    assert is_problem(answer, 422, "validation_failed")["errors"][0]["field"] == "email"


async def test_wrong_password_and_unknown_email_look_alike(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    """The same words, and about the same time: both cost one hash, with the same parameters."""
    verified = []

    def verify(self: PasswordHasher, stored_hash: str, password: str) -> bool:
        verified.append(extract_parameters(stored_hash))
        raise VerifyMismatchError

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    answers = {}
    for email in (ada.email, "nobody@example.com"):
        answer = await house.client.post("/api/v1/auth/login", json={"email": email, "password": "not it at all"})
        problem = is_problem(answer, 401, "login_failed")
        problem.pop("request_id")
        answers[email] = problem
    assert answers[ada.email] == answers["nobody@example.com"]
    known, unknown = verified
    assert known == unknown


async def test_disabled_account_is_out(house: House, ada: Person):
    """Also with a token that is still valid, within a second or so."""
    account = await house.ports(Core).read_models.accounts.get(ada.user["id"], ada.user["id"])
    assert account is not None
    event = AccountChanged(
        id=str(uuid.uuid4()),
        source="/claw/test",
        subject=account.id,
        time=house.ports(Core).clock.now(),
        tenant=account.tenant,
        traceparent=TRACE,
        data=msgspec.structs.replace(account, disabled=True),
    )
    await house.ports(Core).records.change(Outgoing(ACCOUNTS_CHANGED, event))
    answer = await house.client.post("/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})
    is_problem(answer, 401, "login_failed")
    deadline = time.monotonic() + 3
    while (answer := await ada.call("GET", "/users/me")).status_code == 200:
        assert time.monotonic() < deadline
    is_problem(answer, 401, "unauthenticated")


async def test_only_our_access_tokens(house: House, ada: Person):
    """Forged, unsigned, expired, of another kind, in the URL: refused."""
    now = int(time.time())
    secret = house.settings.auth.secret.reveal()
    claims = {"sub": ada.user["id"], "tenant": "t", "role": "admin", "tier": "free", "typ": "access", "iat": now, "exp": now + 60}
    assert (await house.client.get("/api/v1/users/me", headers=bearer(jwt.encode(claims, secret, "HS256")))).status_code == 200
    bad = [
        jwt.encode(claims, "another secret, also thirty-two bytes long", "HS256"),
        jwt.encode(claims, "", "none"),
        jwt.encode(claims | {"exp": now - 1}, secret, "HS256"),
        jwt.encode(claims | {"typ": "refresh"}, secret, "HS256"),
        jwt.encode({"sub": "x"}, secret, "HS256"),
        "nonsense",
        "x" * 5_000,
        "claw_nonsense",
        f"claw_{uuid.uuid4().hex}_{'x' * 43}",
    ]
    for token in bad:
        answer = await house.client.get("/api/v1/users/me", headers=bearer(token))
        is_problem(answer, 401, "api_key_malformed" if token == "claw_nonsense" else "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    answer = await house.client.get(f"/api/v1/users/me?access_token={ada.token}")
    is_problem(answer, 401, "unauthenticated")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_api_keys(house: House, ada: Person, bob: Person):
    """Shown once, stored hashed, scoped, revocable, and no way to more keys."""
    made = (await ada.call("POST", "/api-keys", json={"name": "import", "scopes": ["knowledge:read"]})).json()
    assert made["key"].startswith("claw_")
    secret = made["key"].split("_", 2)[2]
    credential = await house.ports(Core).read_models.credentials.get(made["id"], made["id"])
    assert credential is not None
    assert secret not in msgspec.json.encode(credential).decode()
    listed = (await ada.call("GET", "/api-keys")).json()["items"]
    assert [key["id"] for key in listed] == [made["id"]]
    assert "key" not in listed[0]
    key = bearer(made["key"])
    assert (await house.client.get("/api/v1/knowledge", headers=key)).status_code == 200
    is_problem(await house.client.post("/api/v1/knowledge", json={"name": "x"}, headers=key), 403, "forbidden")
    is_problem(await house.client.post("/api/v1/conversations", json={}, headers=key), 403, "forbidden")
    is_problem(await house.client.get("/api/v1/api-keys", headers=key), 403, "forbidden")
    is_problem(await house.client.get("/api/v1/knowledge", headers=bearer(made["key"] + "x")), 401, "api_key_malformed")
    is_problem(await bob.call("DELETE", f"/api-keys/{made['id']}"), 404, "not_found")
    assert (await ada.call("DELETE", f"/api-keys/{made['id']}")).status_code == 204
    is_problem(await house.client.get("/api/v1/knowledge", headers=key), 401, "unauthenticated")
    is_problem(await ada.call("DELETE", f"/api-keys/{made['id']}"), 404, "not_found")


async def test_api_key_again_with_its_idempotency_key(ada: Person):
    """The same key text, though nobody keeps it."""
    headers = {"idempotency-key": "k"}
    first = await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)
    second = await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)
    assert first.json()["key"] == second.json()["key"]
    is_problem(await ada.call("POST", "/api-keys", json={"name": "b"}, headers=headers), 409, "idempotency_conflict")


async def test_expired_api_key(house: House, ada: Person):
    is_problem(await ada.call("POST", "/api-keys", json={"name": "a", "expires_at": "2020-01-01T00:00:00Z"}), 422, "validation_failed")
    made = (await ada.call("POST", "/api-keys", json={"name": "a"})).json()
    credential = await house.ports(Core).read_models.credentials.get(made["id"], made["id"])
    assert credential is not None
    event = CredentialChanged(
        id=str(uuid.uuid4()),
        source="/claw/test",
        subject=credential.id,
        time=house.ports(Core).clock.now(),
        tenant=credential.tenant,
        traceparent=TRACE,
        data=msgspec.structs.replace(credential, expires_at=house.ports(Core).clock.now()),
    )
    await house.ports(Core).records.change(Outgoing(CREDENTIALS_CHANGED, event))
    is_problem(await house.client.get("/api/v1/knowledge", headers=bearer(made["key"])), 401, "unauthenticated")


@pytest.mark.parametrize("secret", ["", "short", "x" * 31])
async def test_short_secret_is_refused(secret: str):
    with pytest.raises(ConfigurationError, match="CLAW_AUTH_SECRET"):
        create_app(Settings(auth=AuthSettings(secret=Secret(secret))))


async def test_a_revoked_api_key_stays_revoked_when_its_request_is_repeated(house: House, ada: Person):
    headers = {"idempotency-key": "k-revoked"}
    made = (await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)).json()
    await ada.call("DELETE", f"/api-keys/{made['id']}")
    is_problem(await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers), 410, "deleted_since")
    is_problem(await house.client.get("/api/v1/knowledge", headers=bearer(made["key"])), 401, "unauthenticated")


async def test_a_revoked_api_key_stays_out_when_its_revocation_is_forgotten(house: House, ada: Person):
    """A tombstone lasts 30 days; after that the same request makes a key again, and not the one that was revoked."""
    headers = {"idempotency-key": "k-forgotten"}
    made = (await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)).json()
    await ada.call("DELETE", f"/api-keys/{made['id']}")
    await lose(house, "idempotency:*", f"record:*{made['id']}")
    again = await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)
    assert again.status_code == 201
    is_problem(await house.client.get("/api/v1/knowledge", headers=bearer(made["key"])), 401, "unauthenticated")
    assert (await house.client.get("/api/v1/knowledge", headers=bearer(again.json()["key"]))).status_code == 200
    await lose(house, "idempotency:*")
    assert (await ada.call("POST", "/api-keys", json={"name": "a"}, headers=headers)).json() == again.json()


async def test_a_derived_api_key_ends_with_the_signing_secret_and_a_random_one_does_not(house: House, ada: Person):
    derived = (await ada.call("POST", "/api-keys", json={"name": "a"}, headers={"idempotency-key": "k-rotated"})).json()["key"]
    random = (await ada.call("POST", "/api-keys", json={"name": "b"})).json()["key"]
    core = house.ports(Core)
    rotated = Identities(AccessTokens(AuthSettings(secret=Secret("rotated-" * 5))), core.read_models, core.clock)
    assert (await rotated.authenticate(f"Bearer {random}")).account_id == ada.user["id"]
    with pytest.raises(Refused, match="signing secret changed"):
        await rotated.authenticate(f"Bearer {derived}")
    with pytest.raises(Refused):
        await rotated.authenticate(f"Bearer {ada.token}")
    until = (core.clock.now() + timedelta(hours=1)).replace(microsecond=0).isoformat()
    auth = AuthSettings(secret=Secret("rotated-" * 5), previous_secret=house.settings.auth.secret, previous_until=until)
    overlapping = Identities(AccessTokens(auth), core.read_models, core.clock)
    for credential in (derived, random, ada.token):
        assert (await overlapping.authenticate(f"Bearer {credential}")).account_id == ada.user["id"]


async def test_an_account_id_reveals_no_password_to_who_guesses_the_idempotency_key(house: House):
    """The id depends on the secret of the installation, and on no password at all."""
    address = f"{uuid.uuid4().hex}@example.com"
    body = {"email": address, "password": PASSWORD}
    answer = await house.client.post("/api/v1/auth/register", json=body, headers={"idempotency-key": "1"})
    account_id = answer.json()["user"]["id"]
    sent = hashlib.sha256(answer.request.content).hexdigest()
    assert account_id != ids.derive("request", "", email_scope(address), "/api/v1/auth/register", "1", sent, "account")
    other = {"email": address, "password": "another long passphrase of nobody"}
    is_problem(await house.client.post("/api/v1/auth/register", json=other, headers={"idempotency-key": "1"}), 409, "email_taken")


async def test_what_was_deleted_stays_deleted_when_its_stored_answer_is_lost(house: House, ada: Person):
    """Conversations and knowledge bases: Redis has forgotten the key, and the ids derived from it are the same."""
    for path, body in (("/conversations", {"title": "t"}), ("/knowledge", {"name": "n"})):
        headers = {"idempotency-key": f"lost{path}"}
        made = (await ada.call("POST", path, json=body, headers=headers)).json()
        await ada.call("DELETE", f"{path}/{made['id']}")
        await lose(house, "idempotency:*")
        is_problem(await ada.call("POST", path, json=body, headers=headers), 410, "deleted_since")
