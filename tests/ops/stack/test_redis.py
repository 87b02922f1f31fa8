"""The configuration of the embedded Redis."""

import os
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.redis import versions
from ops.processes.redis_version import check_server
from ops.stack.redis import RedisNode, check_version, prepare
from schemas.errors import ConfigurationError
from schemas.settings import RedisSettings
from schemas.settings.section import Secret

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(TEXTS, TEXTS)
def test_nothing_breaks_out_of_the_redis_configuration(name: str, password: str):
    """A user's name is quoted, a password is not there at all."""
    node = RedisNode(Path("/x y"), Path("/log"), 1, name, Secret(password))
    (line,) = (line for line in node.configuration().splitlines() if line.startswith('user "'))
    quoted, _, rest = line.removeprefix('user "').partition('"')
    assert quoted.encode().decode("unicode_escape").encode("latin-1") == name.encode()
    assert re.match(r" on #[0-9a-f]{64} ~\* &\* -@all \+ping ", rest)


def test_a_path_too_long_for_a_socket_is_refused_with_a_remedy(tmp_path: Path):
    long = tmp_path / ("x" * 100)
    with pytest.raises(ConfigurationError, match=r"^CLAW_HOME: .* bytes too long .* CLAW_REDIS_PORT"):
        prepare(RedisNode(long, tmp_path / "log"), os.environ)
    prepare(RedisNode(long, tmp_path / "log", 1), os.environ)


def test_an_outdated_server_is_named_or_refused(tmp_path: Path):
    """As CLAW_REDIS_OUTDATED says; before anything is started. A repaired server is no news, nor is one that does not say what it is."""
    environ = {"PATH": str(tmp_path)}
    server = tmp_path / "redis-server"
    for printed, outdated in (("Redis server v=6.2.14 sha=0", True), ("Redis server v=8.2.2 sha=0", False), ("what?", False)):
        server.write_text(f"#!/bin/sh\necho '{printed}'\n")
        server.chmod(0o755)
        with capture_logs() as logged:
            check_version(RedisSettings(outdated="warn"), environ)
        assert [each["event"] for each in logged] == ["redis_outdated"] * outdated
        if outdated:
            with pytest.raises(ConfigurationError, match=r"^CLAW_REDIS_OUTDATED is refuse: Redis 6\.2\.14 .* Install one of"):
                check_version(RedisSettings(outdated="refuse"), environ)
        else:
            check_version(RedisSettings(outdated="refuse"), environ)


async def test_no_process_works_with_an_outdated_server_that_is_refused(redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch):
    """Whichever server runs here counts as outdated once its product has no repaired version as old."""
    monkeypatch.setattr(versions, "FIXED", {product: {(999, 0): 0} for product in versions.FIXED})
    await check_server(msgspec.structs.replace(redis_settings, outdated="warn"))
    with pytest.raises(ConfigurationError, match="CLAW_REDIS_OUTDATED is refuse"):
        await check_server(msgspec.structs.replace(redis_settings, outdated="refuse"))
    await check_server(RedisSettings(url="redis://127.0.0.1:1", outdated="refuse"))
