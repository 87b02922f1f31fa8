"""Live configuration for operators: keys with the layer that rules, changes, history, propagation, export and import."""

import heapq
from http import HTTPStatus
from typing import Annotated, Any

from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from api.configs.ports import ConfigPorts
from api.configs.views import (
    diff_view,
    import_change_view,
    internal_view,
    key_view,
    propagation_view,
    revision_view,
    stage_plan,
    stage_state_view,
)
from api.http.audit import record_audit
from api.http.gate import OPERATOR, PUBLIC
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.rate_limiting import subject_of
from api.http.request import ApiRequest
from api.http.responses import etag, if_match_revision, json_response, map_page, run_idempotent
from domain.configs.editor import ConfigEditor, internal_way
from domain.configs.records import CONFIG_AUDIT, CONFIG_HISTORY
from schemas import ids
from schemas.bodies.configs import (
    ConfigDiff,
    ConfigExport,
    ConfigImport,
    ConfigImported,
    ConfigPut,
    ConfigRevisionView,
    ConfigRollback,
    ConfigStage,
    ConfigStageEnd,
    ConfigView,
    PropagationView,
    PublicConfigs,
    StageStateView,
)
from schemas.bodies.pages import Page
from schemas.configs import StageOutcome
from schemas.errors import Refused

REASON_CHARS_MAX = 500

Before = Annotated[int, QueryParameter(name="from", ge=0, le=1_000_000_000, description="A revision; 0 is the default.")]
After = Annotated[int | None, QueryParameter(name="to", ge=0, le=1_000_000_000, description="A revision; without it the newest.")]
ReasonText = Annotated[str, QueryParameter(max_length=REASON_CHARS_MAX, description="The reason, for the history.")]


@get("/configs", opt=OPERATOR, responses=PROBLEMS, summary="List configuration keys")
async def list_keys(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[ConfigView]:
    """By name, with the layer that rules. Internal keys, which have routes of their own, are among them."""
    editor = _editor(request)
    internal = {config.key for config in editor.live.configs.values()} - editor.live.keys.keys()
    names = heapq.nsmallest(limit + 1, (name for name in (*editor.live.keys, *internal) if name > cursor))
    views = [key_view(editor, key) if (key := editor.live.keys.get(name)) else _internal(editor, name) for name in names[:limit]]
    return Page(items=tuple(views), next_cursor=names[limit - 1] if len(names) > limit else None)


@get("/configs/public", opt=PUBLIC, responses=PROBLEMS, summary="Get the public configuration")
async def public(request: ApiRequest) -> PublicConfigs:
    """What everybody may know of how this installation is configured, such as whether one can register."""
    live = request.core.live
    return PublicConfigs(values={name: key.value_in(live.settings) for name, key in live.keys.items() if key.is_public})


@get("/configs/audit", opt=OPERATOR, responses=PROBLEMS, summary="List configuration changes")
async def audit(request: ApiRequest, limit: Limit = 20, cursor: Cursor = "") -> Page[ConfigRevisionView]:
    """Of all keys, newest first."""
    editor = _editor(request)
    page = await request.core.read_models.of(CONFIG_AUDIT).list(ids.INSTALLATION, limit=limit, cursor=cursor)
    shown = map_page(page, lambda config: revision_view(editor, config))
    return Page(items=tuple(each for each in shown.items if _is_published(editor, each)), next_cursor=shown.next_cursor)


@post("/configs/export", opt=OPERATOR | RUNS_AGAIN, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Export the configuration")
async def export(request: ApiRequest) -> Response[ConfigExport]:
    """Every value that was changed, without sensitive ones, as the import takes them."""

    async def make() -> Response[Any]:
        values, omitted = _editor(request).export()
        return json_response(ConfigExport(values=values, omitted=tuple(omitted), exported_at=request.core.clock.now()))

    return await run_idempotent(request, make)


@post("/configs/import", opt=OPERATOR | ANSWERED, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Import configuration")
async def import_(request: ApiRequest, data: JSONBody[ConfigImport]) -> Response[ConfigImported]:
    """All keys or none: while one of them is refused nothing changes, and ``errors`` names it. After a ``503`` send the same again."""

    async def make() -> Response[Any]:
        editor = _editor(request)
        if data.dry_run:
            planned = await editor.plan(data.values)
        else:
            made = await _request_id(request, "import")
            planned = await editor.import_values(data.values, by=subject_of(request.user), reason=data.reason, request=made)
            for each in planned:
                if each.action != "unchanged" and (config := editor.config(each.key)) is not None and config.request == made:
                    await _record(request, "config.import", each.key.name, config.revision, data.reason)
        return json_response(ConfigImported(dry_run=data.dry_run, changes=tuple(import_change_view(each) for each in planned)))

    return await run_idempotent(request, make)


@get("/configs/{config_key:str}", opt=OPERATOR, responses=PROBLEMS, summary="Get a configuration key")
async def get_key(request: ApiRequest, config_key: FromPath[str]) -> Response[ConfigView]:
    """With its ETag. Revision 0 stands for a key that never had a value."""
    editor = _editor(request)
    if config_key not in editor.live.keys and (way := internal_way(config_key)) is not None:
        if editor.live.configs.get(config_key) is None:
            raise Refused("not_found", f"{config_key} has no value yet; {way} gives it one")
        view = _internal(editor, config_key)
        return json_response(view, HTTPStatus.OK, {"ETag": etag(view.revision)})
    return _response(request, config_key)


@put("/configs/{config_key:str}", opt=OPERATOR, responses=PROBLEMS, summary="Change a configuration key")
async def put_key(request: ApiRequest, config_key: FromPath[str], data: JSONBody[ConfigPut]) -> Response[ConfigView]:
    """In force in every process within a second; a change that could not take effect is refused. The same value again is no change. With
    ``If-Match`` a concurrent change is refused with ``412``.
    """
    expected = if_match_revision(request)
    config = await _editor(request).change(config_key, data.value, by=subject_of(request.user), reason=data.reason, expected=expected)
    await _record(request, "config.change", config_key, config.revision, data.reason)
    return _response(request, config_key)


@delete("/configs/{config_key:str}", opt=OPERATOR, responses=PROBLEMS, status_code=HTTPStatus.OK, summary="Reset a configuration key")
async def reset_key(request: ApiRequest, config_key: FromPath[str], reason: ReasonText = "") -> Response[ConfigView]:
    """To its default, as a new revision. With ``If-Match`` a concurrent change is refused with ``412``."""
    expected = if_match_revision(request)
    config = await _editor(request).change(config_key, None, by=subject_of(request.user), reason=reason, expected=expected)
    await _record(request, "config.reset", config_key, config.revision, reason)
    return _response(request, config_key)


@get("/configs/{config_key:str}/history", opt=OPERATOR, responses=PROBLEMS, summary="List the revisions of a configuration key")
async def history(request: ApiRequest, config_key: FromPath[str], limit: Limit = 20, cursor: Cursor = "") -> Page[ConfigRevisionView]:
    """Newest first, with who changed it and why."""
    editor = _editor(request)
    name = config_key if editor.live.configs.get(config_key) is not None else editor.find(config_key).name
    page = await request.core.read_models.of(CONFIG_HISTORY).list(name, limit=limit, cursor=cursor)
    shown = map_page(page, lambda config: revision_view(editor, config))
    return Page(items=tuple(each for each in shown.items if _is_published(editor, each)), next_cursor=shown.next_cursor)


@get("/configs/{config_key:str}/diff", opt=OPERATOR, responses=PROBLEMS, summary="Compare two revisions of a configuration key")
async def diff(request: ApiRequest, config_key: FromPath[str], before: Before = 0, after: After = None) -> ConfigDiff:
    """Of a sensitive key only whether it was set, and whether the value is the same."""
    editor = _editor(request)
    known = editor.find(config_key)
    newest = editor.config(known)
    last = newest if after is None else await editor.revision(known, after)
    return diff_view(editor, known, await editor.revision(known, before), last)


@post(
    "/configs/{config_key:str}/rollback",
    opt=OPERATOR | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Roll a key back",
)
async def rollback(request: ApiRequest, config_key: FromPath[str], data: JSONBody[ConfigRollback]) -> Response[ConfigView]:
    """Give it the value of an earlier revision, as a new one; the value must keep the limits of today."""

    async def make() -> Response[Any]:
        by, expected = subject_of(request.user), if_match_revision(request)
        made = await _request_id(request, "rollback")
        config = await _editor(request).roll_back(config_key, data.revision, by=by, reason=data.reason, request=made, expected=expected)
        if config.request == made:  # else a late repeat, and somebody changed it since
            await _record(request, "config.rollback", config_key, config.revision, data.reason)
        return _response(request, config_key)

    return await run_idempotent(request, make)


@get("/configs/{config_key:str}/propagation", opt=OPERATOR, responses=PROBLEMS, summary="See which processes run a revision")
async def propagation(request: ApiRequest, config_key: FromPath[str]) -> PropagationView:
    """Every process that reported within the last 10 seconds, with the revision it runs and since when."""
    editor = _editor(request)
    known = editor.find(config_key)
    return propagation_view(known.name, editor.config(known), await editor.reports.list(), known)


@post(
    "/configs/{config_key:str}/stage",
    opt=OPERATOR | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Stage a change of a configuration key",
)
async def stage(request: ApiRequest, config_key: FromPath[str], data: JSONBody[ConfigStage]) -> Response[ConfigView]:
    """In force within a second in a part of the installation, until it is promoted or aborted; a ``guard`` rolls it back by itself. While a
    change is staged the key takes no other one.
    """

    async def make() -> Response[Any]:
        by, expected = subject_of(request.user), if_match_revision(request)
        made = await _request_id(request, "stage")
        config = await _editor(request).stage(config_key, stage_plan(data), by=by, reason=data.reason, request=made, expected=expected)
        if config.request == made:
            await _record(request, "config.stage", config_key, config.revision, data.reason)
        return _response(request, config_key)

    return await run_idempotent(request, make)


@get("/configs/{config_key:str}/stage", opt=OPERATOR, responses=PROBLEMS, summary="Get the staged change of a key")
async def get_stage(request: ApiRequest, config_key: FromPath[str]) -> StageStateView:
    """With what its guard finds at this moment, from the reports of all processes."""
    ports = request.ports(ConfigPorts)
    known = ports.editor.find(config_key)
    config = ports.editor.config(known)
    if config is None or config.stage is None:
        raise Refused("not_found", f"no change of {known.name} is staged")
    state = await ports.keeper.state(known, config.stage, await ports.editor.reports.list())
    return stage_state_view(known, config, config.stage, state)


@post(
    "/configs/{config_key:str}/promote",
    opt=OPERATOR | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Promote the staged change of a key",
)
async def promote(request: ApiRequest, config_key: FromPath[str], data: JSONBody[ConfigStageEnd]) -> Response[ConfigView]:
    """The staged value is in force everywhere, as a new revision."""
    return await _end_stage(request, config_key, data, "promote", "promoted")


@post(
    "/configs/{config_key:str}/abort",
    opt=OPERATOR | ANSWERED,
    responses=PROBLEMS,
    status_code=HTTPStatus.OK,
    summary="Abort the staged change of a key",
)
async def abort(request: ApiRequest, config_key: FromPath[str], data: JSONBody[ConfigStageEnd]) -> Response[ConfigView]:
    """The value from before is in force everywhere, as a new revision."""
    return await _end_stage(request, config_key, data, "abort", "aborted")


async def _end_stage(request: ApiRequest, name: str, data: ConfigStageEnd, verb: str, outcome: StageOutcome) -> Response[ConfigView]:
    async def make() -> Response[Any]:
        by, expected, made = subject_of(request.user), if_match_revision(request), await _request_id(request, verb)
        config = await _editor(request).end_stage(name, outcome, by=by, reason=data.reason, request=made, expected=expected)
        if config.request == made:
            await _record(request, f"config.{verb}", name, config.revision, data.reason)
        return _response(request, name)

    return await run_idempotent(request, make)


async def _request_id(request: ApiRequest, name: str) -> str:
    """What a repeat of a request with an ``Idempotency-Key`` gives again; "" without one."""
    if request.idempotency_key is None:
        return ""
    return await request.new_id(f"config-{name}", request.user.tenant, request.user.account_id)


async def _record(request: ApiRequest, action: str, key: str, revision: int, reason: str) -> None:
    """On the installation's audit log, without the value."""
    detail = {"revision": str(revision)} | ({"reason": reason} if reason else {})
    await record_audit(request, action, tenant=ids.INSTALLATION, target=key, detail=detail)


def _editor(request: ApiRequest) -> ConfigEditor:
    return request.ports(ConfigPorts).editor


def _internal(editor: ConfigEditor, name: str) -> ConfigView:
    config = editor.live.configs.get(name)
    assert config is not None
    return internal_view(config)


def _is_published(editor: ConfigEditor, revision: ConfigRevisionView) -> bool:
    """One that was recorded only is no revision: its writer stopped before it was in force."""
    newest = editor.live.configs.get(revision.key)
    return newest is not None and revision.revision <= newest.revision


def _response(request: ApiRequest, name: str) -> Response[ConfigView]:
    editor = _editor(request)
    view = key_view(editor, editor.find(name))
    return json_response(view, HTTPStatus.OK, {"ETag": etag(view.revision)})


def router() -> Router:
    """The routes of this module."""
    handlers = [list_keys, public, audit, export, import_, get_key, put_key, reset_key, history, diff, rollback, propagation]
    handlers += [stage, get_stage, promote, abort]
    return Router("", route_handlers=handlers, tags=["configuration"])
