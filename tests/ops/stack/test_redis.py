"""The configuration of the embedded Redis."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ops.stack.redis import RedisNode
from schemas.settings.section import Secret


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_password_cannot_break_out_of_the_redis_configuration(password: str):
    node = RedisNode(Path("/x y"), Path("/log"), 1, password=Secret(password))
    line = next(line for line in node.configuration().splitlines() if line.startswith("requirepass"))
    quoted = line.removeprefix('requirepass "').removesuffix('"')
    assert quoted.encode().decode("unicode_escape").encode("latin-1") == password.encode()
    assert '"' not in quoted
