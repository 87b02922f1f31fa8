"""Live configuration over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody

IMPORT_KEYS_MAX = 200

Reason = Annotated[str, Meta(max_length=500, description="The reason, for the history.")]
Revision = Annotated[int, Meta(ge=0, le=1_000_000_000, description="A revision that the history lists; 0 is the default.")]


class ConfigPut(RequestBody, frozen=True, kw_only=True):
    """The new value; null resets the key to its default."""

    value: Any
    reason: Reason = ""


class ConfigRollback(RequestBody, frozen=True, kw_only=True):
    """The revision whose value the key gets again, as a new revision."""

    revision: Revision
    reason: Reason = ""


class ConfigView(Struct, frozen=True, kw_only=True):
    """A key. ``layer``: where its value comes from; a variable that is set in the environment rules over the topic. ``value`` of a
    sensitive key is null: ``is_set`` and ``fingerprint`` tell whether it has one, and whether it is the same as before. ``revision`` is
    also the ETag. ``changed_with``: the route that changes an internal key.
    """

    key: str
    value: Any
    is_set: bool
    layer: Literal["environment", "topic", "default"]
    revision: int
    default: Any = None
    fingerprint: str = ""
    kind: str = ""
    limits: str = ""
    description: str = ""
    variable: str = ""
    sensitive: bool = False
    public: bool = False
    effect: Literal["live", "restart"] = "live"
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""
    changed_with: str = ""


class PublicConfigs(Struct, frozen=True, kw_only=True):
    """The values that everybody may read, by key."""

    values: dict[str, Any]


class ConfigRevisionView(Struct, frozen=True, kw_only=True):
    """One revision of a key. ``value`` null with ``is_set`` false: the default."""

    key: str
    revision: int
    value: Any
    is_set: bool
    changed_at: datetime
    changed_by: str
    reason: str
    fingerprint: str = ""


class ConfigSide(Struct, frozen=True, kw_only=True):
    """One side of a comparison; ``value`` is the default where the revision has none."""

    revision: int
    value: Any
    is_set: bool
    fingerprint: str = ""


class ConfigDiff(Struct, frozen=True, kw_only=True):
    """Two revisions of a key."""

    key: str
    before: ConfigSide
    after: ConfigSide
    is_same: bool


class ProcessView(Struct, frozen=True, kw_only=True):
    """A process and the revision of the key that it runs; 0: the default. ``pinned``: its environment sets the value. ``problem``: why
    the newest revision is not in force. ``silent_s``: seconds since its last report.
    """

    id: str
    component: str
    started_at: datetime
    revision: int
    in_force: bool
    pinned: bool
    problem: str
    silent_s: float


class PropagationView(Struct, frozen=True, kw_only=True):
    """Which process runs which revision. ``in_force``: all of them run the newest."""

    key: str
    revision: int
    in_force: bool
    processes: tuple[ProcessView, ...]


class ConfigExport(Struct, frozen=True, kw_only=True):
    """The values that were changed, as ``POST /configs/import`` takes them. ``omitted``: sensitive keys that are set."""

    values: dict[str, Any]
    omitted: tuple[str, ...]
    exported_at: datetime


class ConfigImport(RequestBody, frozen=True, kw_only=True):
    """Values by key; null resets a key. ``dry_run`` changes nothing and shows what would change."""

    values: Annotated[dict[str, Any], Meta(max_length=IMPORT_KEYS_MAX)]
    reason: Reason = ""
    dry_run: bool = False


class ConfigImportChange(Struct, frozen=True, kw_only=True):
    """What becomes of one key; values of sensitive keys are null."""

    key: str
    action: Literal["set", "reset", "unchanged"]
    before: Any
    after: Any


class ConfigImported(Struct, frozen=True, kw_only=True):
    """The changes, made or (with ``dry_run``) to be made."""

    dry_run: bool
    changes: tuple[ConfigImportChange, ...]
