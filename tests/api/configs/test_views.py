"""Keys as operators see them: no sensitive value, wherever it comes from."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from api.configs.views import diff_view, key_view, propagation_view, revision_view
from domain.areas import CONFIG_KEYS, CONFIG_RULES
from domain.configs.cipher import ConfigCipher
from domain.configs.configs import Configs
from domain.configs.editor import ConfigEditor
from domain.configs.live_settings import LiveSettings
from domain.configs.reports import ProcessReport
from schemas.configs import Config
from schemas.settings import KafkaSettings, Settings
from schemas.settings.section import Secret
from tests.support.configured_process import NOW, SECRET, written

CANARY = "sk-canary-7b1d"
SENSITIVE = [key for key in CONFIG_KEYS if key.is_sensitive]


def editor_of(settings: Settings) -> ConfigEditor:
    live = LiveSettings(settings, Configs(KafkaSettings()), CONFIG_KEYS, ConfigCipher(SECRET))
    tables = SimpleNamespace(of=lambda _record: None)
    return ConfigEditor(live, CONFIG_RULES, cast("Any", None), cast("Any", None), cast("Any", tables))


@pytest.mark.parametrize("key", SENSITIVE, ids=lambda key: key.name)
def test_a_sensitive_value_of_any_layer_is_in_no_view(key) -> None:
    from_environment = editor_of(Settings.from_env({key.variable: CANARY}))
    editor = editor_of(Settings())
    value = msgspec.to_builtins(editor.live.cipher.encrypt(key.name, Secret(CANARY)))
    editor.live.configs.fold(1, key.name.encode(), written(key.name, value, 1))
    config = editor.config(key)
    assert config is not None
    views = [key_view(from_environment, key), key_view(editor, key)]
    assert [(view.layer, view.is_set, view.value) for view in views] == [("environment", True, None), ("topic", True, None)]
    values, omitted = editor.export()
    shown = [*views, revision_view(editor, config), diff_view(editor, key, None, config), values, omitted]
    assert omitted == [key.name]
    assert "canary" not in msgspec.json.encode(shown).decode()
    assert "encrypted" not in msgspec.json.encode(shown).decode()


def test_a_value_that_this_release_cannot_use_is_shown_as_it_stands() -> None:
    editor = editor_of(Settings())
    key = editor.find("model.temperature")
    editor.live.configs.fold(1, b"model.temperature", written("model.temperature", 99, 1))
    assert (key_view(editor, key).value, editor.live.settings.model.temperature) == (99, 0.2)
    report = ProcessReport(id="1", component="chat", started_at=NOW, problems=dict(editor.live.problems))
    shown = propagation_view(key.name, Config(key=key.name, value=99, revision=1, changed_at=NOW, changed_by="ada"), [report], key)
    assert not shown.in_force
    assert "2.0" in shown.processes[0].problem
