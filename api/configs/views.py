"""Keys and revisions as operators see them: sensitive values never leave."""

from collections.abc import Iterable
from typing import Any

import msgspec

from domain.config_keys import ConfigKey
from domain.configs.cipher import encrypted_of
from domain.configs.editor import ConfigEditor, PlannedChange, internal_way
from domain.configs.reports import ProcessReport
from domain.configs.stage_plans import StagePlan
from domain.configs.stages import GuardState
from schemas.bodies.configs import (
    ConfigDiff,
    ConfigImportChange,
    ConfigRevisionView,
    ConfigSide,
    ConfigStage,
    ConfigView,
    GuardBody,
    ProcessView,
    PropagationView,
    StageEndView,
    StageStateView,
    StageView,
)
from schemas.configs import Config, Stage, StageEnd, StageGuard
from schemas.errors import Refused


def key_view(editor: ConfigEditor, key: ConfigKey) -> ConfigView:
    """A key with its value and the layer that rules."""
    config, layer, live = editor.config(key), editor.layer(key), editor.live
    value = key.value_in(live.given) if layer != "topic" else _topic_value(editor, key, config)
    default = key.value_in(live.given) if layer != "environment" else getattr(key.section(), key.field)
    is_hidden = key.is_sensitive
    return ConfigView(
        key=key.name,
        value=None if is_hidden else value,
        is_set=bool(value) if is_hidden else layer != "default",
        layer=layer,
        revision=config.revision if config else 0,
        default=None if is_hidden else default,
        fingerprint=_fingerprint(config) if is_hidden and layer == "topic" else "",
        kind=key.setting.kind,
        limits=key.setting.limits.replace("`", ""),
        description=key.setting.meaning,
        variable=key.variable,
        sensitive=is_hidden,
        public=key.is_public,
        effect=key.effect,
        changed_at=config.changed_at if config else None,
        changed_by=config.changed_by if config else "",
        reason=config.reason if config else "",
        stage=stage_view(config.stage, hidden=is_hidden) if config and config.stage else None,
    )


def stage_view(stage: Stage, *, hidden: bool) -> StageView:
    """A staged change; ``hidden``: the key is sensitive."""
    return StageView(
        id=stage.id,
        value=None if hidden else stage.value,
        started_at=stage.started_at,
        share=stage.share,
        workers=stage.workers,
        tenants=stage.tenants,
        guard=None if stage.guard is None else msgspec.convert(msgspec.to_builtins(stage.guard), GuardBody),
        ends_at=stage.ends_at,
    )


def stage_state_view(key: ConfigKey, config: Config, stage: Stage, state: GuardState | None) -> StageStateView:
    """The stage of the key, as its guard judges it now."""
    return StageStateView(
        key=key.name,
        revision=config.revision,
        stage=stage_view(stage, hidden=key.is_sensitive),
        verdict="" if state is None else state.verdict,
        figures={} if state is None else state.figures,
    )


def stage_plan(body: ConfigStage) -> StagePlan:
    """What the editor is asked for."""
    return StagePlan(
        value=body.value,
        share=body.share,
        workers=body.workers,
        tenants=body.tenants,
        guard=None if body.guard is None else msgspec.convert(msgspec.to_builtins(body.guard), StageGuard),
        promote_after_s=body.promote_after_s,
    )


def internal_view(config: Config) -> ConfigView:
    """A key that has a route of its own."""
    return ConfigView(
        key=config.key,
        value=config.value,
        is_set=config.value is not None,
        layer="default" if config.value is None else "topic",
        revision=config.revision,
        changed_at=config.changed_at,
        changed_by=config.changed_by,
        reason=config.reason,
        changed_with=internal_way(config.key) or "",
    )


def revision_view(editor: ConfigEditor, config: Config) -> ConfigRevisionView:
    """A revision of any key."""
    key = editor.live.keys.get(config.key)
    is_hidden = key is not None and key.is_sensitive
    return ConfigRevisionView(
        key=config.key,
        revision=config.revision,
        value=None if is_hidden else config.value,
        is_set=config.value is not None,
        changed_at=config.changed_at,
        changed_by=config.changed_by,
        reason=config.reason,
        fingerprint=_fingerprint(config) if is_hidden else "",
        stage=stage_view(config.stage, hidden=is_hidden) if config.stage else None,
        stage_end=_stage_end_view(config.stage_end) if config.stage_end else None,
    )


def _stage_end_view(end: StageEnd) -> StageEndView:
    return StageEndView(id=end.id, outcome=end.outcome, automatic=end.automatic, figures=end.figures)


def diff_view(editor: ConfigEditor, key: ConfigKey, before: Config | None, after: Config | None) -> ConfigDiff:
    """Two revisions; None: the default."""
    sides = [_side(editor, key, each) for each in (before, after)]
    is_same = sides[0].is_set == sides[1].is_set and (sides[0].value, sides[0].fingerprint) == (sides[1].value, sides[1].fingerprint)
    return ConfigDiff(key=key.name, before=sides[0], after=sides[1], is_same=is_same)


def propagation_view(name: str, config: Config | None, reports: Iterable[ProcessReport], key: ConfigKey | None = None) -> PropagationView:
    """Which process runs which revision of the key of this name; ``key`` None: it is no setting."""
    newest = config.revision if config else 0
    processes = tuple(_process_view(name, newest, report, key) for report in reports)
    return PropagationView(key=name, revision=newest, in_force=all(each.in_force for each in processes), processes=processes)


def import_change_view(planned: PlannedChange) -> ConfigImportChange:
    """What an import does with a key."""
    is_hidden = planned.key.is_sensitive
    before, after = (None, None) if is_hidden else (planned.before, planned.value)
    return ConfigImportChange(key=planned.key.name, action=planned.action, before=before, after=after)


def _process_view(name: str, newest: int, report: ProcessReport, key: ConfigKey | None) -> ProcessView:
    revision, is_pinned = report.revisions.get(name, 0), name in report.pinned
    problem = report.problems.get(name, "")
    if is_pinned and not problem and key is not None:
        problem = f"{key.variable} is set in its environment"
    elif revision < newest and not problem:
        is_late = key is not None and key.effect == "restart"
        problem = "takes effect when the process is started again" if is_late else "has not read it yet"
    return ProcessView(
        id=report.id,
        component=report.component,
        started_at=report.started_at,
        revision=revision,
        in_force=revision >= newest and not is_pinned,
        pinned=is_pinned,
        problem=problem,
        silent_s=round(report.silent_s, 3),
        staged=name in report.staged,
        since=report.since.get(name),
    )


def _side(editor: ConfigEditor, key: ConfigKey, config: Config | None) -> ConfigSide:
    revision = config.revision if config else 0
    if config is None or config.value is None:
        return ConfigSide(revision=revision, value=None if key.is_sensitive else key.value_in(editor.live.given), is_set=False)
    if key.is_sensitive:
        return ConfigSide(revision=revision, value=None, is_set=True, fingerprint=_fingerprint(config))
    return ConfigSide(revision=revision, value=config.value, is_set=True)


def _topic_value(editor: ConfigEditor, key: ConfigKey, config: Config | None) -> Any:
    """What the topic has; as it stands there where this process cannot use it."""
    try:
        return editor.live.parse(key, config)
    except (ValueError, Refused):
        return True if key.is_sensitive else config and config.value


def _fingerprint(config: Config | None) -> str:
    if config is None or config.value is None:
        return ""
    try:
        return encrypted_of(config.value).fingerprint
    except Refused:
        return ""
