"""The embedded broker knows its user, whatever its log is from."""

import os
from dataclasses import replace

import pytest

from ops.commands import topics
from ops.stack import kafka
from ops.stack.child import ComponentProcess
from ops.stack.credentials import make_password
from ops.stack.ports import claim
from schemas.errors import Unavailable
from streams.topics import DEAD_LETTERS

pytestmark = pytest.mark.stack


async def test_a_log_with_another_password_or_none_is_taken_over(tmp_path):
    """Somebody deleted the credentials: the next start gives the broker new ones, the old ones end, and the log is the same."""
    taken: set[int] = set()
    first = kafka.KafkaNode(tmp_path / "kafka", tmp_path / "kafka.log", claim("kafka", 0, taken), claim("controller", 0, taken))
    second = replace(first, password=make_password(), controller_password=make_password())
    child = ComponentProcess(kafka.prepare(first, os.environ))
    try:
        await child.wait_ready()
        assert len(await topics.apply(first.settings(), [DEAD_LETTERS])) == 1
    finally:
        await child.stop()
    child = ComponentProcess(kafka.prepare(second, os.environ))
    try:
        await child.wait_ready()
        assert await topics.check(second.settings(), [DEAD_LETTERS]) == []
        with pytest.raises(Unavailable):
            await topics.check(first.settings(), [DEAD_LETTERS])
    finally:
        await child.stop()
