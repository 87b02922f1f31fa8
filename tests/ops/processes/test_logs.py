"""Log lines: their form, where they come from, what they never say."""

import io
import json
import logging
import os
import warnings

import pytest
import structlog

from domain.configs.log_level import QUIET
from ops.processes import logs
from schemas.settings import KafkaSettings, NodeSettings
from schemas.settings.section import Secret


@pytest.fixture
def lines():
    """Configure JSON logging into memory; call it to get the lines so far. Puts everything back."""
    root = logging.getLogger()
    before = (root.handlers, root.level, {name: logging.getLogger(name).level for name in QUIET}, warnings.showwarning)
    stream = io.StringIO()
    logs.configure(NodeSettings(log_format="json"), "test", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.captureWarnings(capture=False)
    root.handlers, level, levels, _ = before
    root.setLevel(level)
    for name, quiet in levels.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_at_debug_no_library_writes_what_passes_through_it(lines):
    """Kafka's client writes whole records there: texts of people, hashes of passwords."""
    stream = io.StringIO()
    logs.configure(NodeSettings(log_format="json", log_level="debug"), "test", stream)
    logging.getLogger("aiokafka.conn").debug("Request: %s", "a planted text")
    structlog.get_logger("ours").debug("reconciler_waits")
    assert "reconciler_waits" in stream.getvalue()
    assert "planted" not in stream.getvalue()


def test_own_and_library_lines_have_one_form(lines):
    structlog.contextvars.bind_contextvars(trace_id="ab" * 16)
    structlog.get_logger("ours").info("document_indexed", chunks=3)
    logging.getLogger("uvicorn.error").warning("taking %d seconds", 5)
    logging.getLogger("aiokafka.client").info("not of interest")
    ours, theirs = lines()
    assert (ours["event"], ours["chunks"], ours["level"], ours["service"], ours["trace_id"]) == (
        "document_indexed",
        3,
        "info",
        "test",
        "ab" * 16,
    )
    assert (theirs["event"], theirs["logger"], theirs["level"], theirs["trace_id"]) == (
        "taking 5 seconds",
        "uvicorn.error",
        "warning",
        "ab" * 16,
    )


def test_secrets_never_show(lines):
    structlog.get_logger().info(
        "everything",
        password="hunter2",
        headers={"Authorization": "Bearer hunter2hunter2", "Accept": "*/*"},
        settings=KafkaSettings(sasl_password=Secret("hunter2")),
        nested=[{"api_key": "hunter2"}],
        url="redis://user:hunter2@host:1/0",
        text="sent Bearer hunter2hunter2 to it",
        value=Secret("hunter2"),
        prompt_tokens=12,
    )
    logging.getLogger("other").error("at redis://:hunter2@host with Bearer %s", "hunter2hunter2")
    (ours, theirs) = lines()
    assert "hunter2" not in json.dumps([ours, theirs])
    assert ours["prompt_tokens"] == 12
    assert ours["headers"]["Accept"] == "*/*"
    assert ours["url"] == "redis://user:***@host:1/0"
    assert ours["text"] == "sent Bearer *** to it"
    assert ours["settings"]["sasl_username"] == ""


def test_failures_carry_their_trace(lines):
    try:
        int(os.sep)
    except ValueError:
        structlog.get_logger().exception("it_failed")
    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert "test_logs.py" in line["exception"]


def test_what_a_library_repeats_is_said_now_and_then():
    """aiokafka alone says ten times a second, and per client, that a broker is away."""
    now_s = 0.0
    limit = logs.RepeatLimit(lambda: now_s)

    def passes(name: str, message: str, level: int = logging.ERROR) -> str:
        record = logging.LogRecord(name, level, "", 0, message, ("h",), None)
        return record.getMessage() if limit.filter(record) else ""

    said = []
    for tenth in range(205):
        now_s = tenth / 10
        said.append(passes("aiokafka.conn", "Unable connect to %s"))
    assert [each for each in said if each] == ["Unable connect to h", *["Unable connect to h (99 more like it)"] * 2]
    assert [passes("aiokafka.conn", "Something else: %s"), passes("uvicorn.error", "Unable connect to %s")] != ["", ""]
    assert all(passes("uvicorn.error", "ours %s") for _ in range(3))
    assert [bool(passes("uvicorn.error", "Invalid request %s", logging.WARNING)) for _ in range(3)] == [True, False, False]


def test_a_terminal_gets_text():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        logs.configure(NodeSettings(log_format="text"), "test", stream)
        structlog.get_logger().warning("component_died", component="chat")
    finally:
        logging.captureWarnings(capture=False)
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    assert "component_died" in stream.getvalue()
    assert "component=chat" in stream.getvalue()
