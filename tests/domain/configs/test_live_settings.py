"""Settings of a process with the topic over them: environment before topic before default; secrets; what cannot be used."""

import msgspec

from domain.config_keys import config_keys
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.live_settings import LiveSettings
from domain.configs.stages import ProcessName
from schemas.configs import Stage
from schemas.settings import KafkaSettings, ModelSettings, Settings
from schemas.settings.section import Secret
from tests.support.configured_process import NOW, SECRET, ConfiguredProcess, written


def test_the_topic_rules_over_the_default_until_it_is_reset() -> None:
    process, seen = ConfiguredProcess(), []
    process.model.subscribe(lambda model: seen.append(model.temperature))
    process.read("model.temperature", 1.5, 1)
    process.read("model.max_tokens", 9, 1)
    assert (process.model.value.temperature, process.model.value.max_tokens) == (1.5, 9)
    assert process.live.settings.model == process.model.value
    assert process.live.revisions == {"model.temperature": 1, "model.max_tokens": 1}
    process.read("model.temperature", None, 2)
    assert (process.model.value.temperature, process.live.revisions["model.temperature"]) == (0.2, 2)
    assert seen == [1.5, 1.5, 0.2]


def test_a_variable_that_is_set_rules_over_the_topic() -> None:
    settings = Settings.from_env({"CLAW_MODEL_TEMPERATURE": "0.2"})  # the default, but explicitly
    process = ConfiguredProcess(settings)
    process.read("model.temperature", 1.5, 1)
    assert process.model.value.temperature == 0.2
    assert process.live.pinned == ("model.temperature",)
    assert process.live.revisions == {}


def test_a_value_that_cannot_be_used_leaves_the_one_before_and_is_named() -> None:
    process = ConfiguredProcess()
    process.read("model.temperature", 1.5, 1)
    process.read("model.temperature", 99, 2)
    assert (process.model.value.temperature, process.live.revisions) == (1.5, {"model.temperature": 1})
    assert "2.0" in process.live.problems["model.temperature"]
    process.read("model.temperature", 0.5, 3)
    assert (process.model.value.temperature, process.live.problems) == (0.5, {})


def test_a_sensitive_value_is_decrypted_with_the_secret_of_the_installation_only() -> None:
    cipher = ConfigCipher(SECRET)
    value = msgspec.to_builtins(cipher.encrypt("model.api_key", Secret("sk-canary")))
    assert "canary" not in str(value)
    process, stranger = ConfiguredProcess(), ConfiguredProcess(secret=Secret("t" * 32))
    for each in (process, stranger):
        each.read("model.api_key", value, 1)
    assert process.model.value.api_key == Secret("sk-canary")
    assert stranger.model.value.api_key == Secret("")
    assert "no secret" in stranger.live.problems["model.api_key"]
    process.read("model_second.api_key", value, 1)  # a ciphertext that was copied to another key
    assert "model_second.api_key" in process.live.problems
    assert ConfigCipher(Secret("t" * 32), SECRET).decrypt("model.api_key", value) == Secret("sk-canary")


async def test_a_value_that_needs_a_restart_is_taken_at_the_start_only() -> None:
    configs = Configs(KafkaSettings())
    keys = config_keys(ModelSettings, "concurrency", effect="restart")
    live = LiveSettings(Settings(), configs, keys, ConfigCipher(SECRET))
    configs.fold(1, b"model.concurrency", written("model.concurrency", 7, 1))
    live._has_started = True
    configs.fold(2, b"model.concurrency", written("model.concurrency", 8, 2))
    assert (live.settings.model.concurrency, live.revisions) == (7, {"model.concurrency": 1})


def test_a_staged_value_is_in_force_in_the_processes_of_its_stage_until_it_ends() -> None:
    """Also when the process learns its name after the topic, as a worker does."""
    inside, outside = ConfiguredProcess(), ConfiguredProcess()
    stage = Stage(id="s", value=1.5, started_at=NOW, workers=("chat",))
    outside.live.identify(ProcessName("2", "api"))
    for process in (inside, outside):
        process.read("model.temperature", 0.5, 1)
        process.read("model.temperature", 0.5, 2, stage)
    assert inside.model.value.temperature == 0.5
    inside.live.identify(ProcessName("1", "chat"))
    assert (inside.model.value.temperature, outside.model.value.temperature) == (1.5, 0.5)
    assert (inside.live.staged, outside.live.staged, outside.live.stages) == ({"model.temperature"}, set(), {"model.temperature": stage})
    assert inside.live.revisions == outside.live.revisions == {"model.temperature": 2}
    for process in (inside, outside):
        process.read("model.temperature", 0.5, 3)
        assert (process.model.value.temperature, process.live.staged, process.live.stages) == (0.5, set(), {})


def test_a_value_staged_by_tenant_is_in_force_for_these_tenants_alone() -> None:
    process = ConfiguredProcess()
    process.live.identify(ProcessName("1", "chat"))
    process.read("model.temperature", 0.5, 1, Stage(id="s", value=None, started_at=NOW, tenants=("acme", "globex")))
    process.read("model.max_tokens", 9, 1)
    late = process.live.of(ModelSettings)
    assert [late.of_tenant(tenant).temperature for tenant in ("acme", "globex", "other")] == [0.2, 0.2, 0.5]
    assert process.live.whole.of_tenant("acme").model == late.of_tenant("acme")
    assert (late.of_tenant("acme").max_tokens, late.value.temperature) == (9, 0.5)
    process.read("model.temperature", None, 2)
    assert late.of_tenant("acme") is late.value
