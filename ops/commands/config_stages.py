"""`claw config stage|promote|abort`: staged changes from the command line, by the rules of the API."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.configs.views import stage_plan
from ops.commands.configs import BY, open_editor, parse_text, record_change
from schemas.bodies.configs import ConfigStage
from schemas.configs import StageOutcome
from schemas.errors import ConfigurationError
from schemas.settings import Settings

ACTIONS: Mapping[StageOutcome, str] = {"promoted": "config.promote", "aborted": "config.abort"}


async def stage(
    settings: Settings,
    name: str,
    text: str | None,
    part: Mapping[str, Any],
    *,
    reset: bool,
    guard: str,
    promote_after: float | None,
    reason: str,
) -> int:
    """Stage a value, or with ``reset`` the default. ``part`` has ``share``, ``workers`` and ``tenants``; ``guard`` is JSON."""
    if reset + (text is not None) != 1:
        raise ConfigurationError("give one of VALUE and --default")
    async with open_editor(settings) as (editor, _, publisher):
        key = editor.find(name)
        if key.is_sensitive:
            raise ConfigurationError(f"{name} is sensitive: stage it over the API, where its value is on no command line")
        body = {"value": None if text is None else parse_text(key, text), **part, "promote_after_s": promote_after, "reason": reason}
        try:
            asked = msgspec.convert(body | {"guard": msgspec.json.decode(guard) if guard else None}, ConfigStage)
        except msgspec.DecodeError as error:  # of JSON, or of the form
            raise ConfigurationError(str(error).replace("`", "")) from None
        config = await editor.stage(name, stage_plan(asked), by=BY, reason=reason)
        await record_change(publisher, "config.stage", config, reason)
        assert config.stage is not None
        print(f"{name} is at revision {config.revision}, with a staged value")
    return 0


async def end(settings: Settings, name: str, outcome: StageOutcome, *, reason: str) -> int:
    """Promote or abort a staged value."""
    async with open_editor(settings) as (editor, _, publisher):
        config = await editor.end_stage(name, outcome, by=BY, reason=reason)
        await record_change(publisher, ACTIONS[outcome], config, reason)
        print(f"{name} is at revision {config.revision}: the staged value was {outcome}")
    return 0
