"""The area of live configuration."""

from domain.area import Area
from domain.config_keys import config_keys
from domain.configs.errors import ERRORS
from domain.configs.records import CONFIG_AUDIT, CONFIG_HISTORY
from domain.configs.topics import CONFIGS_CHANGED, CONFIGS_RECORDED
from schemas.settings import CacheSettings, NodeSettings

AREA = Area(
    name="configs",
    topics=(CONFIGS_CHANGED, CONFIGS_RECORDED),
    records=(CONFIG_HISTORY, CONFIG_AUDIT),
    unprojected={CONFIGS_CHANGED.name: "every process follows the topic itself and keeps the values in memory"},
    errors=ERRORS,
    configs=(
        *config_keys(NodeSettings, "log_level"),
        *config_keys(CacheSettings, "document_content_s", "ai_response_s", "retrieval_s", "embeddings_s", "negative_s"),
    ),
)
