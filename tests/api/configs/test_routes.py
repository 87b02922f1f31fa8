"""Configuration as an operator changes it while everything runs, on two replicas: layers, history, refusals, secrets."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from api.configs.ports import ConfigPorts
from api.core import Core
from domain.notices.topics import NOTICES_CHANGED
from ops.commands import topics as administration
from schemas.settings import QuotaSettings, Settings
from tests.support.api_people import promoted, tenant_of
from tests.support.api_process import WANTED, House, Person, opened
from tests.support.problems import is_problem

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

EVERYWHERE_S = 1.0  # the promise: a change is in force on every replica within a second
CANARY = "sk-canary-5e1f"
PINNED = {"CLAW_MODEL_MAX_TOKENS"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replicas(api_settings: Settings) -> AsyncIterator[tuple[House, House]]:
    """Two API processes of an installation whose configuration is nobody else's; the environment of the second sets one variable."""
    name = f"t{uuid.uuid4().hex[:10]}"
    kafka = msgspec.structs.replace(api_settings.kafka, topic_prefix=f"{name}.")
    redis = msgspec.structs.replace(api_settings.redis, key_prefix=name)
    settings = msgspec.structs.replace(api_settings, kafka=kafka, redis=redis)
    await administration.apply(kafka, WANTED)
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(opened(settings))
        there = await stack.enter_async_context(opened(msgspec.structs.replace(settings, explicit=frozenset(PINNED))))
        yield here, there
    await administration.delete(kafka, WANTED)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(replicas: tuple[House, House]) -> Person:
    person = await replicas[0].person()
    await promoted(replicas[0], person)
    return person


@pytest.fixture
def put(operator: Person) -> Callable[..., Awaitable[Any]]:
    async def change(key: str, value: Any, reason: str = "", **headers: str) -> Any:
        answer = await operator.call("PUT", f"/configs/{key}", json={"value": value, "reason": reason}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return change


async def within(check: Callable[[], bool], seconds: float = EVERYWHERE_S) -> None:
    """A busy machine gets longer before this fails than the promise says; `make bench BENCH=configs` measures the promise."""
    async with asyncio.timeout(10 * seconds):
        while not check():
            await asyncio.sleep(0.005)


async def test_a_change_is_in_force_on_every_replica_and_its_revisions_can_be_compared_and_rolled_back(replicas, operator, put):
    key = "model.temperature"
    before = await operator.call("GET", f"/configs/{key}")
    assert before.headers["etag"] == '"0"'
    view = before.json()
    assert (view["value"], view["layer"], view["default"], view["is_set"], view["limits"]) == (0.2, "default", 0.2, False, "≥ 0, ≤ 2")
    changed = await put(key, 1.5, "livelier", **{"if-match": '"0"'})
    assert (changed["value"], changed["layer"], changed["revision"], changed["reason"]) == (1.5, "topic", 1, "livelier")
    await within(lambda: all(house.ports(Core).live.settings.model.temperature == 1.5 for house in replicas))
    late = await operator.call("PUT", f"/configs/{key}", json={"value": 1}, headers={"if-match": '"0"'})
    assert is_problem(late, 412, "lost_update")
    assert (await put(key, 1.5))["revision"] == 1  # the same again is no change
    await put(key, 0.5)
    diff = (await operator.call("GET", f"/configs/{key}/diff?from=1")).json()
    assert (diff["before"]["value"], diff["after"]["value"], diff["is_same"]) == (1.5, 0.5, False)
    back = await operator.call("POST", f"/configs/{key}/rollback", json={"revision": 1, "reason": "as before"})
    assert (back.json()["value"], back.json()["revision"]) == (1.5, 3)
    unknown = await operator.call("POST", f"/configs/{key}/rollback", json={"revision": 9})
    assert is_problem(unknown, 404, "config_revision_unknown")
    first = (await operator.call("GET", f"/configs/{key}/history?limit=2")).json()
    rest = (await operator.call("GET", f"/configs/{key}/history?limit=2&cursor={first['next_cursor']}")).json()
    revisions = first["items"] + rest["items"]
    assert [(each["revision"], each["value"], each["reason"]) for each in revisions] == [
        (3, 1.5, "as before"),
        (2, 0.5, ""),
        (1, 1.5, "livelier"),
    ]
    assert {each["changed_by"] for each in revisions} == {f"{tenant_of(operator)}/{operator.user['id']}"}
    reset = await operator.call("DELETE", f"/configs/{key}?reason=enough")
    assert (reset.json()["value"], reset.json()["layer"], reset.json()["revision"]) == (0.2, "default", 4)
    audit = (await operator.call("GET", "/configs/audit?limit=1")).json()["items"][0]
    assert (audit["key"], audit["revision"], audit["is_set"], audit["reason"]) == (key, 4, False, "enough")


async def test_what_cannot_take_effect_is_refused_and_changes_nothing(replicas, operator, put):
    refused = await operator.call("PUT", "/configs/model.max_tokens", json={"value": 5})
    assert is_problem(refused, 409, "config_pinned")
    assert "CLAW_MODEL_MAX_TOKENS is set in the environment of api (1 process)" in refused.json()["detail"]
    near = await operator.call("PUT", "/configs/model.temprature", json={"value": 1})
    assert is_problem(near, 404, "config_unknown")
    assert "model.temperature" in near.json()["detail"]
    bounds = await operator.call("PUT", "/configs/model.temperature", json={"value": 2.5})
    assert is_problem(bounds, 422, "validation_failed")
    assert bounds.json()["errors"] == [{"field": "value", "detail": "model.temperature: expected float <= 2.0", "limit": "≥ 0, ≤ 2"}]
    crossed = await operator.call("PUT", "/configs/retrieval.candidates", json={"value": 2})
    assert "retrieval.passages (6) must be at most retrieval.candidates (2)" in crossed.text
    keyless = await operator.call("PUT", "/configs/model_second.provider", json={"value": "openai"})
    assert "CLAW_MODEL_SECOND_API_KEY" in keyless.json()["errors"][0]["detail"]
    internal = await operator.call("PUT", "/configs/rate_limits.rules", json={"value": {}})
    assert is_problem(internal, 409, "config_internal")
    assert "PUT /rate-limits/rules" in internal.json()["detail"]
    assert (await operator.call("GET", "/configs/retrieval.candidates")).json()["revision"] == 0
    layer = await replicas[1].client.get("/api/v1/configs/model.max_tokens", headers=operator.headers)
    assert (layer.json()["layer"], layer.json()["value"]) == ("environment", 1024)


async def test_only_operators_see_configuration_and_everybody_what_is_public(replicas, operator, put):
    person = await replicas[0].person()
    for method, path in (("GET", "/configs"), ("GET", "/configs/audit"), ("PUT", "/configs/auth.registration")):
        assert is_problem(await person.call(method, path, json={"value": "closed"}), 403, "forbidden")
    await put("auth.registration", "closed")
    await within(lambda: replicas[1].ports(Core).live.settings.auth.registration == "closed")
    public = await replicas[1].client.get("/api/v1/configs/public")
    assert public.json()["values"]["auth.registration"] == "closed"
    assert public.json()["values"]["document.file_bytes_max"] == 104_857_600
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery", "name": "Eve"}
    assert is_problem(await replicas[1].client.post("/api/v1/auth/register", json=body), 403, "registration_closed")
    await operator.call("DELETE", "/configs/auth.registration")
    await within(lambda: replicas[1].ports(Core).live.settings.auth.registration == "open")


async def test_a_sensitive_value_never_leaves(replicas, operator, put, capsys):
    key = "model_third.api_key"
    shown = [await put(key, CANARY, "rotated"), await put(key, CANARY + "2"), await put(key, CANARY)]
    assert all((each["value"], each["is_set"], each["sensitive"]) == (None, True, True) for each in shown)
    assert shown[0]["fingerprint"] == shown[2]["fingerprint"] != shown[1]["fingerprint"]
    await within(lambda: all(house.ports(Core).live.settings.model_third.api_key.reveal() == CANARY for house in replicas))
    answers = [await operator.call("GET", f"/configs/{path}") for path in (key, f"{key}/history", f"{key}/diff?from=1&to=2", "audit")]
    answers += [await operator.call("GET", "/configs?limit=100"), await operator.call("POST", "/configs/export")]
    answers.append(await operator.call("POST", "/configs/import", json={"values": {key: CANARY + "\n"}}))
    answers.append(await operator.call("POST", f"/configs/{key}/rollback", json={"revision": 2}))
    assert [answer.status_code for answer in answers] == [200] * 6 + [422, 200]
    assert answers[2].json()["is_same"] is False
    assert answers[5].json()["omitted"] == [key]
    log = capsys.readouterr()
    stored = msgspec.json.encode(replicas[0].ports(Core).live.configs.values()).decode()
    redis = replicas[0].ports(Core).redis
    names = await redis.execute_command("KEYS", f"{replicas[0].settings.redis.key_prefix}:*config*")
    rows = [await redis.execute_command("GET", name) for name in names if await redis.execute_command("TYPE", name) == b"string"]
    assert len(rows) > 3
    for text in (*(answer.text for answer in answers), log.out, log.err, stored, str(rows)):
        assert "canary" not in text


async def test_propagation_names_every_process(replicas, operator, put):
    revision = (await put("quota.free_tokens_per_day", 5_000))["revision"]

    async def read() -> dict[str, Any]:
        answer = await operator.call("GET", "/configs/quota.free_tokens_per_day/propagation")
        return dict(answer.json())

    async with asyncio.timeout(10):
        while not (shown := await read())["in_force"]:
            await asyncio.sleep(0.01)
    ids = {house.ports(ConfigPorts).process_id for house in replicas}
    assert {each["id"] for each in shown["processes"]} == ids
    assert {(each["component"], each["revision"], each["problem"]) for each in shown["processes"]} == {("api", revision, "")}
    pinned = (await operator.call("GET", "/configs/model.max_tokens/propagation")).json()
    assert sorted(each["pinned"] for each in pinned["processes"]) == [False, True]
    assert not pinned["in_force"]
    assert replicas[1].ports(Core).live.of(QuotaSettings).value.free_tokens_per_day == 5_000
    me = await (await replicas[1].person()).call("GET", "/users/me/limits")
    assert [each["limit"] for each in me.json()["items"] if each["name"] == "tokens_per_day"] == [5_000]
    await operator.call("DELETE", "/configs/quota.free_tokens_per_day")


async def test_an_import_changes_all_or_nothing(replicas, operator, put):
    await put("cache.retrieval_s", 30)
    exported = (await operator.call("POST", "/configs/export")).json()
    assert exported["values"]["cache.retrieval_s"] == 30
    wrong = {"cache.retrieval_s": 31, "cache.embedings_s": 1, "cache.negative_s": -1}
    refused = await operator.call("POST", "/configs/import", json={"values": wrong})
    assert {error["field"] for error in refused.json()["errors"]} == {"values.cache.embedings_s", "values.cache.negative_s"}
    values = {"cache.retrieval_s": None, "cache.negative_s": 5, "model.idle_timeout_s": 9.5}
    tried = (await operator.call("POST", "/configs/import", json={"values": values, "dry_run": True})).json()
    assert [(each["key"], each["action"], each["before"], each["after"]) for each in tried["changes"]] == [
        ("cache.retrieval_s", "reset", 30, None),
        ("cache.negative_s", "set", None, 5),
        ("model.idle_timeout_s", "set", None, 9.5),
    ]
    assert replicas[0].ports(Core).live.settings.cache.retrieval_s == 30
    done = await operator.call("POST", "/configs/import", json={"values": values, "reason": "moved"})
    assert done.json()["changes"] == tried["changes"]
    cache = replicas[0].ports(Core).live.settings.cache
    assert (cache.retrieval_s, cache.negative_s) == (600, 5)
    again = (await operator.call("POST", "/configs/import", json={"values": values})).json()
    assert {each["action"] for each in again["changes"]} == {"unchanged"}


async def test_a_staged_change_is_rolled_back_once_when_its_guard_finds_it_worse(replicas, operator, put, monkeypatch):
    """In one of two processes, by the share of failed logins there against that in the other; two keepers look at it."""
    key, body = "retrieval.passages", {"value": 3, "share": 0.5, "reason": "fewer"}
    logins = {"metric": {"name": "claw_logins_total", "labels": {"outcome": "failed"}}, "per": {"name": "claw_logins_total"}}
    guard = logins | {"worsening": 0.5, "threshold": 0.1, "observations_min": 20}
    told: list[tuple[str, str]] = []
    for house in replicas:
        house.ports(Core).metrics.logins.labels("failed").inc()
        spy_on_notices(house, monkeypatch, told)
    staged = await operator.call("POST", f"/configs/{key}/stage", json=body | {"guard": guard})
    assert staged.status_code == 200, staged.text
    assert (staged.json()["value"], staged.json()["revision"], staged.json()["stage"]["value"]) == (6, 1, 3)
    assert is_problem(await operator.call("PUT", f"/configs/{key}", json={"value": 5}), 409, "config_staged")
    assert is_problem(await operator.call("POST", "/configs/import", json={"values": {key: 5}}), 409, "config_staged")
    crossed = await operator.call("PUT", "/configs/retrieval.candidates", json={"value": 4})
    assert "retrieval.passages (6)" in crossed.text

    async def processes() -> dict[str, bool]:
        found = (await operator.call("GET", f"/configs/{key}/propagation")).json()
        return {each["id"]: each["staged"] for each in found["processes"] if each["revision"] == 1}

    async with asyncio.timeout(10):
        while len(shown := await processes()) < len(replicas):
            await asyncio.sleep(0.05)
    assert sorted(shown.values()) == [False, True]
    for house in replicas:
        is_staged = shown[house.ports(ConfigPorts).process_id]
        assert house.ports(Core).live.settings.retrieval.passages == (3 if is_staged else 6)
        for outcome in ("failed",) * (8 if is_staged else 1) + ("accepted",) * 40:
            house.ports(Core).metrics.logins.labels(outcome).inc()
    async with asyncio.timeout(20):
        while (view := (await operator.call("GET", f"/configs/{key}")).json())["stage"]:
            await asyncio.sleep(0.1)
    assert (view["value"], view["revision"], view["changed_by"]) == (6, 2, "guard")
    history = (await operator.call("GET", f"/configs/{key}/history")).json()["items"]
    assert [(each["revision"], (each["stage_end"] or {}).get("outcome")) for each in history] == [(2, "rolled_back"), (1, None)]
    figures = history[0]["stage_end"]["figures"]
    assert (figures["staged"], figures["limit"], figures["staged_observations"]) == (0.166667, 0.1, 48)
    assert "claw_logins_total per claw_logins_total was 0.166667 with the staged value (48 observations)" in history[0]["reason"]
    await within(lambda: all(house.ports(Core).live.settings.retrieval.passages == 6 for house in replicas))
    await within(lambda: bool(told), 5)
    entries = (await operator.call("GET", "/audit?all=true&limit=100&action=config.roll_back_stage")).json()["items"]
    assert [(each["target"], each["actor"]["kind"]) for each in entries] == [(key, "system")]
    assert told == [("config.stage_ended", operator.user["id"])]


def spy_on_notices(house: House, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, str]]) -> None:
    """The kind and account of every notice that is published from now on."""
    publisher = house.ports(Core).publisher
    publish_all = publisher.publish_all

    async def record(outgoing: Any) -> Any:
        told.extend((each.event.data.kind, each.event.data.account_id) for each in outgoing if each.topic is NOTICES_CHANGED)
        return await publish_all(outgoing)

    monkeypatch.setattr(publisher, "publish_all", record)


async def test_a_stage_that_could_not_be_judged_or_would_be_nowhere_is_refused(operator):
    async def refusal(key: str, **body: Any) -> Any:
        return await operator.call("POST", f"/configs/{key}/stage", json={"value": 3} | body)

    by_tenant = await refusal("cache.retrieval_s", tenants=["acme"])
    assert is_problem(by_tenant, 409, "config_stage_unsupported")
    assert is_problem(await refusal("model.concurrency", share=0.5), 409, "config_stage_unsupported")
    guard = {"metric": {"name": "claw_loginz_total"}, "threshold": 1}
    wrong = {
        "share": [await refusal("retrieval.passages"), await refusal("retrieval.passages", share=0.5, workers=["api"])],
        "workers": [await refusal("retrieval.passages", workers=["chat"])],
        "guard.metric.name": [await refusal("retrieval.passages", share=0.5, guard=guard)],
        "guard.threshold": [await refusal("retrieval.passages", share=0.5, guard={"metric": guard["metric"]})],
        "guard.baseline": [
            await refusal("retrieval.passages", workers=["api"], guard={"metric": {"name": "claw_logins"}, "worsening": 1}),
            await refusal("retrieval.passages", tenants=["acme"], guard={"metric": {"name": "claw_logins"}, "worsening": 1}),
        ],
        "value": [await refusal("retrieval.passages", share=0.5, value=500)],
    }
    for field, answers in wrong.items():
        for answer in answers:
            assert is_problem(answer, 422, "validation_failed"), (field, answer.text)
            assert answer.json()["errors"][0]["field"] == field, answer.text
    assert "claw_logins_total" in wrong["guard.metric.name"][0].text
    assert is_problem(await operator.call("POST", "/configs/retrieval.passages/promote", json={}), 409, "config_not_staged")


async def test_a_stage_is_promoted_or_aborted_by_hand_and_by_tenant(replicas, operator):
    key = "quota.pro_tokens_per_day"
    await operator.call("POST", f"/configs/{key}/stage", json={"value": 7, "tenants": ["acme"]})
    quotas = replicas[0].ports(Core).live.of(QuotaSettings)
    assert (quotas.of_tenant("acme").pro_tokens_per_day, quotas.value.pro_tokens_per_day) == (7, 0)
    assert (await operator.call("GET", f"/configs/{key}/stage")).json()["verdict"] == ""
    aborted = (await operator.call("POST", f"/configs/{key}/abort", json={"reason": "no"})).json()
    assert (aborted["value"], aborted["revision"], aborted["stage"], quotas.of_tenant("acme").pro_tokens_per_day) == (0, 2, None, 0)
    await operator.call("POST", f"/configs/{key}/stage", json={"value": 8, "workers": ["api"]})
    promoted = (await operator.call("POST", f"/configs/{key}/promote", json={})).json()
    assert (promoted["value"], promoted["revision"], quotas.value.pro_tokens_per_day) == (8, 4, 8)
    await operator.call("DELETE", f"/configs/{key}")
