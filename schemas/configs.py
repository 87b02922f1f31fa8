"""Configuration that changes while everything runs: one record per key, the newest in force in every process within a second."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.events import Event

RATE_LIMIT_RULES = "rate_limits.rules"  # {"rules": [Rule, ...]}
TABLE_EPOCH = "tables.epoch/"  # followed by the prefix of the keys in Redis: {"epoch": id} of the tables that count
RATE_LIMIT_ACCESS = "rate_limits.access/"  # followed by the entry's name: AccessEntry


class Config(Struct, frozen=True, kw_only=True):
    """The present value of ``key``. ``value`` None: the default of the settings. ``revision`` grows by one with every change."""

    key: str
    value: Any
    revision: int
    changed_at: datetime
    changed_by: str  # tenant/account id, or the command line
    reason: str = ""


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
