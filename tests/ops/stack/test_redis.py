"""The configuration of the embedded Redis."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.stack.redis import RedisNode, prepare
from schemas.errors import ConfigurationError
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
