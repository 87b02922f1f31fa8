"""Changes to live configuration: checked as a whole before anything is written, and refused when they could not take effect."""

import difflib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from domain.config_keys import ConfigKey, ConfigRule
from domain.configs.cipher import encrypted_of
from domain.configs.configs import ConfigWriter
from domain.configs.errors import (
    CONFIG_INTERNAL,
    CONFIG_NOT_STAGED,
    CONFIG_PINNED,
    CONFIG_REVISION_UNKNOWN,
    CONFIG_SECRET_MISMATCH,
    CONFIG_STAGED,
    CONFIG_UNKNOWN,
)
from domain.configs.live_settings import LiveSettings
from domain.configs.records import CONFIG_HISTORY
from domain.configs.reports import ProcessReport, ProcessReports, find_pinning
from domain.configs.stage_plans import StagePlan, check_key, place_stage
from schemas import ids
from schemas.configs import RATE_LIMIT_ACCESS, RATE_LIMIT_RULES, TABLE_EPOCH, Config, Stage, StageEnd, StageOutcome
from schemas.errors import FieldError, Refused
from schemas.settings import Settings
from streams.tables.projection import Tables

INTERNAL: Mapping[str, str] = {  # keys that begin so, and what changes them
    RATE_LIMIT_RULES: "PUT /rate-limits/rules",
    RATE_LIMIT_ACCESS: "PUT or DELETE /rate-limits/allowlist and /rate-limits/denylist",
    TABLE_EPOCH: "`claw rebuild tables`",
}
LEASE = "configs"  # of all keys: rules hold across them
MATCHES_MAX, NAME_CHARS_MAX = 3, 100
REVISIONS_SEEN = 1_000  # among which a late repeat of a request is recognised
ERRORS_MAX = 20  # of an import

Layer = Literal["environment", "topic", "default"]
Action = Literal["set", "reset", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """What an import does with one key; ``value`` is parsed, None: the default."""

    key: ConfigKey
    before: Any
    value: Any
    action: Action


class ConfigEditor:
    """Methods that write raise Refused, and Unavailable when Redis or the log is out of reach."""

    def __init__(
        self, live: LiveSettings, rules: Sequence[ConfigRule], writer: ConfigWriter, reports: ProcessReports, tables: Tables
    ) -> None:
        self.live, self.reports = live, reports
        self._rules, self._writer, self._history = rules, writer, tables.of(CONFIG_HISTORY)

    def find(self, name: str) -> ConfigKey:
        """The key of this name. Raises Refused: ``config_unknown`` with similar names, ``config_internal`` with what changes it."""
        if (key := self.live.keys.get(name)) is not None:
            return key
        if (way := internal_way(name)) is not None:
            raise Refused(CONFIG_INTERNAL, f"{name[:NAME_CHARS_MAX]} is changed with {way}")
        similar = ", ".join(similar_names(name, list(self.live.keys)))
        raise Refused(CONFIG_UNKNOWN, f"{name[:NAME_CHARS_MAX]} is unknown" + (f"; similar keys are {similar}" if similar else ""))

    def config(self, key: ConfigKey) -> Config | None:
        """The newest revision of the key; None when it never had one."""
        return self.live.configs.get(key.name)

    def layer(self, key: ConfigKey) -> Layer:
        """Where the value of this process comes from."""
        if key.name in self.live.pinned:
            return "environment"
        config = self.config(key)
        return "default" if config is None or config.value is None else "topic"

    async def change(self, name: str, value: Any, *, by: str, reason: str = "", request: str = "", expected: int | None = None) -> Config:
        """Give a key another value; None resets it to its default. The present value again is no change, and neither is a ``request``
        that made a revision before.
        """
        key = self.find(name)
        parsed = None if value is None else parse_value(key, value, "value")
        async with self._writing([key]):
            if parsed is not None:
                await self._check_effective([key])
            self._check_rules({key.name: parsed}, lambda _: "value")
            return await self._write(key, parsed, by=by, reason=reason, request=request, expected=expected)

    async def stage(
        self, name: str, plan: StagePlan, *, by: str, reason: str = "", request: str = "", expected: int | None = None
    ) -> Config:
        """Put another value in force in a part of the installation, as a revision whose value elsewhere stays. Raises Refused when nothing
        of the part runs, when the value is no change, and when a guard could not judge it; ``change`` documents the other arguments.
        """
        key = self.find(name)
        check_key(key, plan)
        parsed = None if plan.value is None else parse_value(key, plan.value, "value")
        async with self._writing([key]):
            config, revision = self.config(key), 0
            if config is not None:
                revision = config.revision
                if request and await self._has_made(request, config):
                    return config
            self._check_unstaged([key])
            await self._check_effective([key])
            self._check_rules({key.name: parsed}, lambda _: "value")
            if parsed == key.value_in(self._settings_with({})):
                raise Refused("validation_failed", errors=(FieldError("value", f"{key.name} has this value already", "another value"),))
            value, now = self._encode_value(key, parsed), self._writer.now()
            stage_id = ids.derive("config-stage", key.name, revision + 1, now.isoformat())
            stage = place_stage(plan, stage_id, value, now, await self.reports.list())
            present = config.value if config else None
            return await self._writer.change(
                key.name, present, by=by, reason=reason, request=request, expected=revision if expected is None else expected, stage=stage
            )

    async def end_stage(
        self,
        name: str,
        outcome: StageOutcome,
        *,
        by: str,
        reason: str = "",
        request: str = "",
        expected: int | None = None,
        stage_id: str = "",
        figures: Mapping[str, float] | None = None,
    ) -> Config:
        """Promote the staged value to the whole installation, or take it back. With ``stage_id`` it is this stage's automatic end, and
        nothing happens once the stage has ended otherwise. Raises Refused("config_not_staged").
        """
        key = self.find(name)
        async with self._writing([key]):
            config = self.config(key)
            if config is not None and request and await self._has_made(request, config):
                return config
            if config is None or config.stage is None or (stage_id and config.stage.id != stage_id):
                raise Refused(CONFIG_NOT_STAGED, f"{key.name} is at revision {config.revision if config else 0} without a stage")
            value, stage = config.value, config.stage
            if outcome == "promoted":
                value = stage.value
                self._check_rules({key.name: self.live.parse_staged(key, stage)}, lambda _: key.name)
                if not stage_id:
                    await self._check_effective([key])
            end = StageEnd(id=stage.id, outcome=outcome, automatic=bool(stage_id), figures=dict(figures or {}))
            expected = config.revision if expected is None else expected
            return await self._writer.change(key.name, value, by=by, reason=reason, request=request, expected=expected, stage_end=end)

    async def move_stage(self, name: str, stage: Stage, *, by: str, reason: str) -> Config:
        """Let other processes be those of the share: ``stage`` with another salt. Raises Refused("config_not_staged")."""
        key = self.find(name)
        async with self._writing([key]):
            config = self.config(key)
            if config is None or config.stage is None or config.stage.id != stage.id:
                raise Refused(CONFIG_NOT_STAGED)
            return await self._writer.change(key.name, config.value, by=by, reason=reason, expected=config.revision, stage=stage)

    async def roll_back(
        self, name: str, revision: int, *, by: str, reason: str = "", request: str = "", expected: int | None = None
    ) -> Config:
        """Give a key the value of an earlier revision, as a new one; ``change`` documents the arguments."""
        key = self.find(name)
        old = await self.revision(key, revision)
        value = None if old is None or old.value is None else self.live.parse(key, old)
        value = value.reveal() if key.is_sensitive and value else value
        return await self.change(name, value, by=by, reason=reason, request=request, expected=expected)

    async def revision(self, key: ConfigKey, revision: int) -> Config | None:
        """A revision of the key; None for 0, its default. Raises Refused("config_revision_unknown")."""
        if revision == 0:
            return None
        newest = self.config(key)
        if newest is not None and newest.revision == revision:
            return newest
        found = await self._history.get(key.name, str(revision))
        if found is None or newest is None or revision > newest.revision:
            raise Refused(CONFIG_REVISION_UNKNOWN, f"{key.name} has the revisions 0 to {newest.revision if newest else 0}, not {revision}")
        return found

    async def plan(self, values: Mapping[str, Any]) -> list[PlannedChange]:
        """What an import would do. Raises Refused, naming every key that stands in its way."""
        parsed, errors = self._parse_all(values)
        if errors:
            raise Refused("validation_failed", errors=tuple(errors))
        self._check_unstaged([self.live.keys[name] for name in parsed])
        await self._check_effective([self.live.keys[name] for name, value in parsed.items() if value is not None])
        self._check_rules(parsed, lambda name: f"values.{name}")
        return [self._plan_change(self.live.keys[name], value) for name, value in parsed.items()]

    async def import_values(self, values: Mapping[str, Any], *, by: str, reason: str = "", request: str = "") -> list[PlannedChange]:
        """Change all keys, or none when one of them is refused. After Unavailable a repeat writes what is missing; of a ``request`` that
        changed a key before, this key stays as it is.
        """
        keys = [self.live.keys[name] for name in values if name in self.live.keys]
        async with self._writing(keys):
            planned = await self.plan(values)
            for each in planned:
                if each.action != "unchanged":
                    await self._write(each.key, each.value, by=by, reason=reason, request=request, expected=None)
        return planned

    def export(self) -> tuple[dict[str, Any], list[str]]:
        """The values of the topic by key, and the keys left out because they are sensitive."""
        values: dict[str, Any] = {}
        omitted: list[str] = []
        for name, key in self.live.keys.items():
            config = self.config(key)
            if config is None or config.value is None:
                continue
            if key.is_sensitive:
                omitted.append(name)
            else:
                values[name] = config.value
        return values, omitted

    @asynccontextmanager
    async def _writing(self, keys: Sequence[ConfigKey]) -> AsyncIterator[None]:
        """One change at a time, on top of all before it."""
        ruled = {name for rule in self._rules if {key.name for key in keys} & set(rule.keys) for name in rule.keys}
        async with self._writer.lease(LEASE):
            await self._writer.catch_up({key.name for key in keys} | ruled)
            yield

    async def _write(self, key: ConfigKey, parsed: Any, *, by: str, reason: str, request: str, expected: int | None) -> Config:
        if request and (config := self.config(key)) is not None and await self._has_made(request, config):
            return config
        self._check_unstaged([key])
        value = self._encode_value(key, parsed)

        def is_same(present: Any) -> bool:
            if not key.is_sensitive or present is None or value is None:
                return bool(present == value)
            return encrypted_of(present).fingerprint == encrypted_of(value).fingerprint

        return await self._writer.change(key.name, value, by=by, reason=reason, request=request, expected=expected, unchanged=is_same)

    def _encode_value(self, key: ConfigKey, parsed: Any) -> Any:
        """The value as it stands on the log."""
        if key.is_sensitive and parsed is not None:
            return msgspec.to_builtins(self.live.cipher.encrypt(key.name, parsed))
        return msgspec.to_builtins(parsed)

    async def _has_made(self, request: str, newest: Config) -> bool:
        """Whether this request made one of the last 1,000 revisions of a key. One that was not in force in the end does not count."""
        page = await self._history.list(newest.key, limit=REVISIONS_SEEN)
        return request in {config.request for config in (newest, *page.items) if config.revision <= newest.revision}

    def _parse_all(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
        parsed: dict[str, Any] = {}
        errors: list[FieldError] = []
        for name, value in values.items():
            try:
                key = self.find(name)
                parsed[name] = None if value is None else parse_value(key, value, f"values.{name}")
            except Refused as refusal:
                errors += refusal.errors or (FieldError(f"values.{name[:NAME_CHARS_MAX]}", refusal.detail),)
                if len(errors) == ERRORS_MAX:
                    break
        return parsed, errors

    def _plan_change(self, key: ConfigKey, value: Any) -> PlannedChange:
        config = self.config(key)
        before = None if config is None or config.value is None else self.live.parse(key, config)
        action: Action = "unchanged" if value == before else "reset" if value is None else "set"
        return PlannedChange(key=key, before=before, value=value, action=action)

    def _check_unstaged(self, keys: Sequence[ConfigKey]) -> None:
        """Refused("config_staged") when a change of one of them is under way."""
        if staged := [key.name for key in keys if (config := self.config(key)) is not None and config.stage is not None]:
            raise Refused(CONFIG_STAGED, f"a change of {', '.join(staged)} is staged")

    async def _check_effective(self, keys: Sequence[ConfigKey]) -> None:
        """Refused("config_pinned" or "config_secret_mismatch") when a process would not take one of the values."""
        reports = await self.reports.list()
        for key in keys:
            pinning = find_pinning(reports, key.name)
            if pinning or key.name in self.live.pinned:
                raise Refused(CONFIG_PINNED, f"{key.variable} is set in the environment of {describe_processes(pinning) or 'this process'}")
        secret_id = self.live.cipher.secret_id
        if sensitive := [key.name for key in keys if key.is_sensitive]:
            if not secret_id:
                raise Refused(CONFIG_SECRET_MISMATCH, f"CLAW_CONFIG_SECRET is not set here, and {sensitive[0]} is sensitive")
            if others := [report for report in reports if report.secret_id != secret_id]:
                raise Refused(CONFIG_SECRET_MISMATCH, f"another CLAW_CONFIG_SECRET, or none, have {describe_processes(others)}")

    def _check_rules(self, changes: Mapping[str, Any], field: Any) -> None:
        variants = [self._settings_with(changes)]
        if staged := self._read_stages():
            variants.append(self._settings_with(staged | dict(changes)))
        errors = [
            FieldError(field(name), problem)
            for rule in self._rules
            if (name := next((each for each in rule.keys if each in changes), None))
            and (problem := next(filter(None, map(rule.find_problem, variants)), ""))
        ]
        if errors:
            raise Refused("validation_failed", errors=tuple(errors))

    def _read_stages(self) -> dict[str, Any]:
        """What is in force in a part of the installation: rules hold there as well."""
        found = {}
        for name, key in self.live.keys.items():
            if (config := self.config(key)) is not None and config.stage is not None:
                try:
                    found[name] = self.live.parse_staged(key, config.stage)
                except (ValueError, Refused):
                    continue
        return found

    def _settings_with(self, changes: Mapping[str, Any]) -> Settings:
        """All settings with what is on the topic, values for the next restart too, and these changes."""
        settings = self.live.given
        for name, key in self.live.keys.items():
            config = self.config(key)
            if name in changes:
                value = key.value_in(self.live.given) if changes[name] is None else changes[name]
            elif config is None or config.value is None or name in self.live.pinned:
                continue
            else:
                try:
                    value = self.live.parse(key, config)
                except (ValueError, Refused):
                    continue  # not in force anywhere in this release
            settings = key.put_in(settings, value)
        return settings


def parse_value(key: ConfigKey, value: Any, field: str) -> Any:
    """The value as its setting has it. Raises Refused("validation_failed") with the limits."""
    try:
        return key.parse(value)
    except msgspec.ValidationError as error:
        wrong = str(error).split(" - at ", maxsplit=1)[0].replace("`", "")
        limits = key.setting.limits.replace("`", "")
        raise Refused("validation_failed", errors=(FieldError(field, f"{key.name}: {wrong[0].lower()}{wrong[1:]}", limits),)) from None


def similar_names(name: str, names: Sequence[str]) -> list[str]:
    """The keys that are written like this one, the nearest first."""
    return difflib.get_close_matches(name[:NAME_CHARS_MAX], names, n=MATCHES_MAX, cutoff=0.6)


def internal_way(name: str) -> str | None:
    """What changes a key that has a way of its own; None for other keys."""
    return next((way for prefix, way in INTERNAL.items() if name.startswith(prefix)), None)


def describe_processes(reports: Sequence[ProcessReport]) -> str:
    """Such as ``api (2 processes), chat (1 process)``."""
    counts = Counter(report.component for report in reports)
    return ", ".join(f"{name} ({count} process{'es' if count > 1 else ''})" for name, count in sorted(counts.items()))
