"""Live configuration over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from schemas.bodies.pages import RequestBody
from schemas.configs import Baseline, StageOutcome, Worse

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


LABELS_MAX, PART_MAX, NAME_CHARS_MAX = 8, 100, 200
WINDOW_S_MAX = 3_600.0
STAGE_S_MAX = 30 * 86_400.0

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]


class MetricBody(RequestBody, frozen=True, kw_only=True):
    """A metric as ``/metrics`` names it, without ``_sum``, ``_count`` and ``_bucket``; of its series those with these labels."""

    name: Name
    labels: Annotated[dict[str, Name], Meta(max_length=LABELS_MAX)] = field(default_factory=dict)


class GuardBody(RequestBody, frozen=True, kw_only=True):
    """When a staged change is rolled back by itself: once the metric is worse where the staged value is in force.

    The metric's value: the mean of a histogram, a counter divided by the counter ``per`` or its growth per second without one, the mean of
    a gauge. It is worse when it is ``worse`` (higher or lower) than ``threshold``, and by more than the share ``worsening`` worse than the
    ``baseline``; of both, when both are given. ``observations_min``: events that the judgement rests on, within the last ``window_s``.
    """

    metric: MetricBody
    per: MetricBody | None = None
    worse: Worse = "higher"
    threshold: float | None = None
    worsening: Annotated[float, Meta(ge=0, le=1_000)] | None = None
    baseline: Baseline = "unstaged"
    window_s: Annotated[float, Meta(ge=1, le=WINDOW_S_MAX)] = 300.0
    observations_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 30


class ConfigStage(RequestBody, frozen=True, kw_only=True):
    """A value for a part of the installation: ``share`` of the processes, ``workers`` (processes or components by name) or ``tenants``.

    ``promote_after_s``: it is promoted after this time if its guard finds it no worse; null: when ``POST .../promote`` says so.
    """

    value: Any
    share: Annotated[float, Meta(gt=0, le=1)] | None = None
    workers: Annotated[tuple[Name, ...], Meta(max_length=PART_MAX)] = ()
    tenants: Annotated[tuple[Name, ...], Meta(max_length=PART_MAX)] = ()
    guard: GuardBody | None = None
    promote_after_s: Annotated[float, Meta(ge=1, le=STAGE_S_MAX)] | None = None
    reason: Reason = ""


class ConfigStageEnd(RequestBody, frozen=True, kw_only=True):
    """Why the stage ends."""

    reason: Reason = ""


class StageView(Struct, frozen=True, kw_only=True):
    """A staged change. ``value`` of a sensitive key is null. ``ends_at``: when it is promoted by itself."""

    id: str
    value: Any
    started_at: datetime
    share: float | None = None
    workers: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    guard: GuardBody | None = None
    ends_at: datetime | None = None


class StageEndView(Struct, frozen=True, kw_only=True):
    """How a stage ended; ``automatic``: by its guard, or because its time was up. ``figures`` of the guard: the metric's values, counts."""

    id: str
    outcome: StageOutcome
    automatic: bool
    figures: dict[str, float]


class StageStateView(Struct, frozen=True, kw_only=True):
    """The stage with the guard's present judgement: ``waiting`` (for observations), ``fine``, ``worse``; "" without a guard."""

    key: str
    revision: int
    stage: StageView
    verdict: Literal["", "waiting", "fine", "worse"]
    figures: dict[str, float]


class ConfigView(Struct, frozen=True, kw_only=True):
    """A key. ``layer``: where its value comes from; a variable that is set in the environment rules over the topic. ``value`` of a
    sensitive key is null: ``is_set`` and ``fingerprint`` tell whether it has one, and whether it is the same as before. ``revision`` is
    also the ETag. ``changed_with``: the route that changes an internal key.
    ``stage``: another value that is in force in a part of the installation.
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
    stage: StageView | None = None


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
    stage: StageView | None = None
    stage_end: StageEndView | None = None


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
    the newest revision is not in force. ``silent_s``: seconds since its last report. ``staged``: the staged value is in force in it.
    ``since``: when its revision came into force in it; null for a default that was never changed.
    """

    id: str
    component: str
    started_at: datetime
    revision: int
    in_force: bool
    pinned: bool
    problem: str
    silent_s: float
    staged: bool = False
    since: datetime | None = None


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
