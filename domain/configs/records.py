"""The record tables of configuration's history: the revisions of one key, and all of them by time."""

from domain.configs.topics import CONFIGS_RECORDED, HISTORY_DAYS
from schemas import ids
from schemas.configs import Config, ConfigRecorded
from streams.tables.projection import Record, rank_of

DAY_S = 86_400.0

CONFIG_HISTORY = Record(
    table="config_history",
    topic=CONFIGS_RECORDED,
    event=ConfigRecorded,
    type=Config,
    scope=lambda event: event.data.key,
    id=lambda event: str(event.data.revision),
    rank=lambda event, _offset: float(event.data.revision),
    retention_s=HISTORY_DAYS * DAY_S,
)
CONFIG_AUDIT = Record(
    table="config_audit",
    topic=CONFIGS_RECORDED,
    event=ConfigRecorded,
    type=Config,
    scope=lambda _event: ids.INSTALLATION,
    id=lambda event: f"{event.data.key}/{event.data.revision}",
    rank=lambda event, _offset: rank_of(event.data.changed_at),
    retention_s=HISTORY_DAYS * DAY_S,
)
