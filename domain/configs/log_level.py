"""The log level of this process, which can be changed while it runs."""

import logging

import structlog

from schemas.settings import NodeSettings
from streams.live import Live

QUIET = (
    "aiokafka",
    "faust",
    "mode",
    "asyncio",
    "httpx",
    "httpcore",
    "openai",
    "urllib3",
)  # at "info" they log their own internals, at "debug" what passes through them


def set_log_level(level: str) -> None:
    """Log nothing less severe than ``level``, from now on and from every logger."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
    logging.getLogger().setLevel(number)
    for name in QUIET:  # also at "debug", where they write whole records and requests: texts, hashes, passwords
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def follow_log_level(node: Live[NodeSettings]) -> None:
    """Change the level with the configuration."""
    node.subscribe(lambda settings: set_log_level(settings.log_level))
