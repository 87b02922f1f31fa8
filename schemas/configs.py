"""Configuration that changes while everything runs: one record per key, the newest in force in every process within a second."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from schemas.events import Event

RATE_LIMIT_RULES = "rate_limits.rules"  # {"rules": [Rule, ...]}
TABLE_EPOCH = "tables.epoch/"  # followed by the prefix of the keys in Redis: {"epoch": id} of the tables that count
RATE_LIMIT_ACCESS = "rate_limits.access/"  # followed by the entry's name: AccessEntry


StageOutcome = Literal["promoted", "aborted", "rolled_back"]
Baseline = Literal["unstaged", "before"]
Worse = Literal["higher", "lower"]


class MetricSelector(Struct, frozen=True, kw_only=True):
    """The series of a metric that have these labels; ``name`` as ``/metrics`` shows it."""

    name: str
    labels: dict[str, str] = {}


class StageGuard(Struct, frozen=True, kw_only=True):
    """When a staged change is rolled back: ``metric`` got worse where the staged value is in force.

    Its value: the mean of a histogram; a counter divided by the counter ``per``, without one its growth per second; the mean of a gauge.
    Worse is a value that is ``worse`` (higher or lower) than ``threshold``, and by more than the share ``worsening`` worse than the
    ``baseline``: the processes without the staged value, or those with it in the time before. Of limits that are both given, both count.
    """

    metric: MetricSelector
    per: MetricSelector | None = None
    worse: Worse = "higher"
    threshold: float | None = None
    worsening: float | None = None
    baseline: Baseline = "unstaged"
    window_s: float = 300.0
    observations_min: int = 30


class Stage(Struct, frozen=True, kw_only=True):
    """A value that is in force in a part of the installation only: exactly one of ``share``, ``workers`` and ``tenants`` says where.

    ``value`` None: the default. ``share`` of the processes, by a hash of ``id``, ``salt`` and the process; ``workers``: processes or
    components by name. It is promoted at ``ends_at`` unless its guard trips; None: when somebody says so.
    """

    id: str
    value: Any
    started_at: datetime
    share: float | None = None
    salt: int = 0
    workers: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    guard: StageGuard | None = None
    ends_at: datetime | None = None


class StageEnd(Struct, frozen=True, kw_only=True):
    """How a stage ended with this revision. ``automatic``: by its guard, or because its time was up. ``figures`` of the guard then."""

    id: str
    outcome: StageOutcome
    automatic: bool = False
    figures: dict[str, float] = {}


class Config(Struct, frozen=True, kw_only=True):
    """The present value of ``key``. ``value`` None: the default of the settings. ``revision`` grows by one with every change.

    ``request``: the request with an ``Idempotency-Key`` that made this revision, by which a late repeat of it is recognised; else "".
    ``stage``: a change under way, beside ``value``, which is in force elsewhere; ``stage_end``: this revision ended one.
    """

    key: str
    value: Any
    revision: int
    changed_at: datetime
    changed_by: str  # tenant/account id, or the command line
    reason: str = ""
    request: str = ""
    stage: Stage | None = None
    stage_end: StageEnd | None = None


class EncryptedValue(Struct, frozen=True, kw_only=True):
    """A sensitive value on the log: AES-256-GCM, bound to its key. ``fingerprint``: equal for equal values of the key, under one secret."""

    encrypted: str
    fingerprint: str


class ConfigChanged(Event, tag="claw.config.changed.v1", frozen=True, kw_only=True):
    """Subject and key: configuration key. The event concerns the installation, so ``tenant`` is ``-``."""

    data: Config


class ConfigRecorded(Event, tag="claw.config.recorded.v1", frozen=True, kw_only=True):
    """The same as history: one event per revision, before the revision is in force. Of two with the same revision the later one counts."""

    data: Config
