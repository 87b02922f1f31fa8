"""Logging of every process: one line per event on standard error, JSON for machines, coloured text on a terminal.

Own code logs through structlog with constant event names and key=value; log lines of libraries (standard library logging) take the same
way out. Secrets are removed from both, by type, by name of the key, and by shape inside text.
"""

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from domain.configs.log_level import QUIET, set_log_level
from schemas.settings import NodeSettings
from schemas.settings.section import Secret

HIDDEN = "***"
DEPTH_MAX = 5  # nesting below which a value is replaced by its type's name
SECRET_KEY = re.compile(r"(?:^|[_.-])(?:password|passwd|secret|token|authorization|api_?key|cookie|credentials?)$", re.IGNORECASE)
SECRET_TEXT = re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}|(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")

REPEATED = (*QUIET, "claw")  # the loggers of ours that are the standard library's: of WebSocket connections
REPEAT_S = 10.0  # between two lines of a library that say the same: with Kafka away each of its clients fails ten times a second
TEMPLATES_MAX = 1_000


class RepeatLimit(logging.Filter):
    """Of a warning that libraries repeat, the first line passes, and then one every 10 s with the number of those that were left out.

    So do the lines of the HTTP server about what a stranger sent: nobody may fill the log, and wear out its files, from outside.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._seen: dict[
            tuple[str, int, str, str], tuple[float, int]
        ] = {}  # to the time of the last line, and how many were left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        library = record.name.partition(".")[0]
        if record.levelno < logging.WARNING or (library not in REPEATED and (library, record.levelno) != ("uvicorn", logging.WARNING)):
            return True
        raised = type(record.exc_info[1]).__name__ if record.exc_info else ""
        key, now_s = (record.name, record.levelno, str(record.msg), raised), self._clock_s()
        said_s, left_out = self._seen.pop(key, (float("-inf"), 0))
        passes = now_s - said_s >= REPEAT_S
        self._seen[key] = (now_s, 0) if passes else (said_s, left_out + 1)
        if len(self._seen) > TEMPLATES_MAX:
            del self._seen[next(iter(self._seen))]
        if passes and left_out:
            record.msg = f"{record.msg} ({left_out} more like it)"
        return passes


def configure(node: NodeSettings, service: str, stream: TextIO | None = None) -> None:
    """Set logging up for this process; call it once, first. ``service`` names the process in every line (``api``, ``chat`` ...)."""
    out = stream or sys.stderr
    as_json = node.log_format == "json" or (node.log_format == "auto" and not out.isatty())
    chain = _chain(service)
    renderer = _renderer(out, as_json=as_json)
    structlog.configure(
        processors=[*chain, renderer],
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,  # loggers made before this call, at import, must follow it
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.PositionalArgumentsFormatter(), *chain],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    _route_standard_library(out, formatter)
    set_log_level(node.log_level)


def _chain(service: str) -> list[Processor]:
    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]


def _renderer(out: TextIO, *, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(serializer=_to_json)
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _to_json(event: EventDict, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _route_standard_library(out: TextIO, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    handler.addFilter(RepeatLimit())
    root = logging.getLogger()
    root.handlers = [handler]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.captureWarnings(capture=True)


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets in every value of a log line, nested ones included."""
    return {key: HIDDEN if _is_secret(key, value) else _without_secrets(value, DEPTH_MAX) for key, value in event.items()}


def _is_secret(key: object, value: object) -> bool:
    return isinstance(value, Secret) or (isinstance(key, str) and SECRET_KEY.search(key) is not None and value not in (None, ""))


def _without_secrets(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return SECRET_TEXT.sub(lambda match: (match[1] or f"{match[2]}:") + HIDDEN, value)
    if isinstance(value, bytes) or depth == 0:
        return f"<{type(value).__name__}>"
    if isinstance(value, msgspec.Struct):
        value = {field: getattr(value, field) for field in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if _is_secret(key, item) else _without_secrets(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets(item, depth - 1) for item in value]
    return _without_secrets(repr(value), depth)
